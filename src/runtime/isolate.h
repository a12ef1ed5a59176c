#pragma once
// Compiling in a process of its own (`--isolate`): a compiler that aborts takes only that process with it.
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace temper {

inline constexpr std::string_view kCompileAlone = "compile-alone";  // the word that main() knows it by

// From now on compilers of plug-ins run in processes of `program`, which is temper itself.
void isolate_compiling(std::string program);
bool compiles_isolated();

// What DeviceKind::compile_alone of `kind` gives for these words, called in a process of its own. Error
// device if that ends by a signal, naming `file`; else the error that it had.
std::string compile_in_process(std::string_view kind, std::vector<std::string> words, std::string_view code,
                               const std::string& file);

// The other side. words: KIND, its words, the file with the code, the file for the result. The exit code.
int compile_alone(std::span<const std::string> words);

}  // namespace temper
