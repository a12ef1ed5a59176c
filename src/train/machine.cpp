#include "train/machine.h"

#include <algorithm>
#include <cstdlib>
#include <map>

#include "base/log.h"
#include "base/text.h"
#include "base/threads.h"
#include "runtime/registry.h"
#include "temper/error.h"

namespace temper {

namespace {

std::string_view words_of(std::string_view names) {
  if (!names.empty() && names != "auto") return names;
  const char* variable = std::getenv("TEMPER_DEVICE");
  return variable && *variable ? variable : "cpu";
}

Device& open_one(std::string_view name) { return open_device(name == "auto" ? "cpu" : name); }

Device& first_that_answers(const std::vector<std::string_view>& list) {
  for (size_t i = 0; i + 1 < list.size(); ++i) {
    try {
      return open_one(list[i]);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::device) throw;
      log_info("`", list[i], "` does not answer, `", list[i + 1], "` is next: ", error.what());
    }
  }
  return open_one(list.back());
}

// A '+' with the word of a device behind it; one in the name of a file has none.
std::vector<std::string_view> shared_out(std::string_view names) {
  std::vector<std::string_view> list;
  size_t from = 0;
  for (size_t at = names.find('+'); at != std::string_view::npos; at = names.find('+', at + 1)) {
    const std::string_view rest = names.substr(at + 1),
                           word = rest.substr(0, std::min(rest.find(':'), rest.find('+')));
    if (word.empty() || word.find_first_of("/.") != std::string_view::npos) continue;
    list.push_back(names.substr(from, at - from));
    from = at + 1;
  }
  list.push_back(names.substr(from));
  return list;
}

// The role before '=', where that is not in the name of a file.
std::string_view role_of(std::string_view word) {
  const std::string_view role = word.substr(0, word.find('='));
  return role.size() == word.size() || role.find_first_of(":/") != std::string_view::npos ? "" : role;
}

bool has_roles(std::string_view names) {
  for (const std::string_view word : split(names, ','))
    if (!role_of(word).empty()) return true;
  return false;
}

}  // namespace

Device& choose_device(std::string_view names) {
  const std::string_view words = words_of(names);
  if (has_roles(words))
    throw Error(ErrorKind::invalid,
                concat("device: `", words, "` gives devices roles, which only tune has; name one device"));
  if (shared_out(words).size() > 1)
    throw Error(ErrorKind::invalid,
                concat("device: `", words,
                       "` shares samples among devices, which eval, predict and run can; name one device"));
  return first_that_answers(split(words, ','));
}

std::vector<Device*> choose_devices(std::string_view names) {
  const std::string_view words = words_of(names);
  const std::vector<std::string_view> list = shared_out(words);
  if (list.size() == 1) return {&choose_device(words)};
  std::vector<Device*> devices;
  for (const std::string_view name : list) {
    Device& device = open_one(name);
    if (std::ranges::count(devices, &device) > 0)
      throw Error(ErrorKind::invalid, concat("device: `", words, "` names ", name, " twice"));
    devices.push_back(&device);
  }
  return devices;
}

DeviceRoles choose_roles(std::string_view names) {
  const std::string_view words = words_of(names);
  if (!has_roles(words)) {
    Device& device = choose_device(words);
    return {&device, &device};
  }
  std::map<std::string_view, std::vector<std::string_view>> lists;
  std::string_view role;
  for (const std::string_view word : split(words, ',')) {
    const std::string_view own = role_of(word);
    if (!own.empty() && lists.contains(own))
      throw Error(ErrorKind::invalid, concat("device: the role `", own, "` is given twice"));
    if (!own.empty()) role = own;
    if (role != "frozen" && role != "head")
      throw Error(ErrorKind::invalid, concat("device: expected frozen=D,head=E, found `", word, "`"));
    lists[role].push_back(own.empty() ? word : word.substr(own.size() + 1));
  }
  for (const std::string_view wanted : {"frozen", "head"})
    if (!lists.contains(wanted))
      throw Error(ErrorKind::invalid,
                  concat("device: `", words, "` says nothing of ", wanted, "; expected frozen=D,head=E"));
  return {&first_that_answers(lists["frozen"]), &first_that_answers(lists["head"]), true};
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
