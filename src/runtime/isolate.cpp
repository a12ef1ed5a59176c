#include "runtime/isolate.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/check.h"
#include "base/file.h"
#include "runtime/registry.h"

namespace temper {

namespace {

std::string& program() {
  static std::string path;
  return path;
}

// A folder that goes with its object.
class Scratch {
 public:
  Scratch() {
    std::string path = (std::filesystem::temp_directory_path() / "temper-XXXXXX").string();
    if (!mkdtemp(path.data()))
      throw Error(ErrorKind::exhausted,
                  concat("no temporary folder '", path, "' can be made: ", std::strerror(errno)));
    path_ = path;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const char* name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// What waitpid says of the process when it has ended.
int run(const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t child = 0;
  if (const int error = posix_spawn(&child, words[0].c_str(), nullptr, nullptr, arguments.data(), environ))
    throw Error(ErrorKind::device, concat("'", words[0], "' cannot be started: ", std::strerror(error)));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return status;
}

ErrorKind kind_of(std::string_view word) {
  for (const ErrorKind kind : {ErrorKind::exhausted, ErrorKind::unsupported, ErrorKind::invalid})
    if (word == to_string(kind)) return kind;
  return ErrorKind::device;
}

}  // namespace

void isolate_compiling(std::string path) { program() = std::move(path); }
bool compiles_isolated() { return !program().empty(); }

std::string compile_in_process(std::string_view kind, std::vector<std::string> words, std::string_view code,
                               const std::string& file) {
  TEMPER_CHECK(compiles_isolated(), "--isolate was not given");
  const Scratch scratch;
  const std::string input = scratch.file("code"), output = scratch.file("result");
  write_file(input, code);
  words.insert(words.begin(), {program(), std::string(kCompileAlone), std::string(kind)});
  words.insert(words.end(), {input, output});
  const int status = run(words);
  if (WIFSIGNALED(status))
    throw Error(
        ErrorKind::device,
        concat("'", file, "' was ended by signal ", WTERMSIG(status), " (", strsignal(WTERMSIG(status)),
               ") while it compiled a program: try another version of it, or another --device"))
        .in_file(file);
  if (!std::filesystem::exists(output))
    throw Error(ErrorKind::device,
                concat("'", file, "' ended the process that compiled a program, with code ",
                       WEXITSTATUS(status), " and no result"))
        .in_file(file);
  const MappedFile result(output);
  if (WEXITSTATUS(status) == 0) return std::string(result.text());
  const size_t line = result.text().find('\n');
  throw Error(kind_of(result.text().substr(0, line)), std::string(result.text().substr(line + 1)))
      .in_file(file);
}

int compile_alone(std::span<const std::string> words) {
  if (words.size() < 3) throw Error(ErrorKind::invalid, concat(kCompileAlone, " is for temper's own use"));
  const std::string &input = words[words.size() - 2], &output = words[words.size() - 1];
  try {
    for (const DeviceKind& kind : device_kinds()) {
      if (kind.name != words[0] || !kind.compile_alone) continue;
      write_file(output, kind.compile_alone(words.subspan(1, words.size() - 3), MappedFile(input).text()));
      return 0;
    }
    throw Error(ErrorKind::unsupported, concat("device `", words[0], "` does not compile by itself"));
  } catch (const Error& error) {
    write_file(output, concat(to_string(error.kind()), "\n", error.what()));
    return 1;
  }
}

}  // namespace temper
