#include "train/machine.h"

#include <cstdlib>

#include "base/log.h"
#include "base/text.h"
#include "base/threads.h"
#include "runtime/registry.h"
#include "temper/error.h"

namespace temper {

Device& choose_device(std::string_view names) {
  if (names.empty() || names == "auto") {
    const char* variable = std::getenv("TEMPER_DEVICE");
    names = variable && *variable ? variable : "cpu";
  }
  const std::vector<std::string_view> list = split(names, ',');
  for (size_t i = 0; i + 1 < list.size(); ++i) {
    try {
      return open_device(list[i] == "auto" ? "cpu" : list[i]);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::device) throw;
      log_info("`", list[i], "` does not answer, `", list[i + 1], "` is next: ", error.what());
    }
  }
  return open_device(list.back() == "auto" ? "cpu" : list.back());
}

int choose_threads(int64_t threads) {
  if (threads < 0 || threads > 4096)
    throw Error(ErrorKind::invalid, concat("--threads: expected 0 to 4096, found ", threads));
  if (threads == 0) {
    const char* variable = std::getenv("TEMPER_THREADS");
    if (variable && *variable && (!parse_number(variable, threads) || threads < 1 || threads > 4096)) {
      throw Error(ErrorKind::invalid, concat("TEMPER_THREADS: expected 1 to 4096, found \"", variable, "\""));
    }
  }
  const int chosen = threads > 0 ? static_cast<int>(threads) : available_threads();
  set_team_size(chosen);
  return chosen;
}

DType choose_precision(std::string_view option, std::string_view word, std::string_view command,
                       bool trains) {
  if (word == "f32") return DType::f32;
  if (word == "bf16") return DType::bf16;
  if (word == "int8" && !trains) return DType::i8;
  if (word == "int8")
    throw Error(ErrorKind::unsupported,
                concat(option, ": int8 is for inference, a training step has none; use f32 or bf16"));
  if (word == "f16") {
    throw Error(ErrorKind::unsupported,
                concat(option, ": f16 is not supported by ", command, "; use f32 or bf16"));
  }
  throw Error(ErrorKind::invalid, concat(option, ": expected f32, bf16, f16 or int8, found \"", word, "\""));
}

}  // namespace temper
