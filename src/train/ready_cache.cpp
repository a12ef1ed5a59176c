#include "train/ready_cache.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "base/cache_folder.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"
#include "base/threads.h"
#include "formats/safetensors.h"
#include "ir/builder.h"
#include "ir/text.h"
#include "ops/registry.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kCacheLimit = int64_t{2} << 30;  // bytes of all kept programs
constexpr int64_t kAlignment = 64;                 // of each parameter
constexpr int64_t kSettled = 2;  // seconds: file systems note times more coarsely than clocks

int64_t rounded(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

std::string hex(uint64_t number) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += kDigits[number >> shift & 15];
  return text;
}

// Every byte counts, hashed in parts by the team.
uint64_t hash_of(std::span<const std::byte> bytes) {
  constexpr size_t kPart = size_t{1} << 21;
  std::vector<uint64_t> parts((bytes.size() + kPart - 1) / kPart);
  parallel_for(static_cast<int64_t>(parts.size()), 2, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
      parts[i] = hash_bytes(bytes.subspan(i * kPart, std::min(kPart, bytes.size() - i * kPart)));
  });
  return hash_bytes(std::as_bytes(std::span(parts)), bytes.size());
}

std::optional<struct stat> status_of(const std::string& file) {
  struct stat status = {};
  return stat(file.c_str(), &status) == 0 ? std::optional(status) : std::nullopt;
}

std::string numbers_of(const struct stat& status) {
  return concat(status.st_dev, " ", status.st_ino, " ", status.st_size, " ", status.st_mtim.tv_sec, " ",
                status.st_mtim.tv_nsec, " ", status.st_ctim.tv_sec, " ", status.st_ctim.tv_nsec);
}

// Which build this is: a version alone does not tell two apart.
std::string own_build() {
  std::string build;
  Dl_info library = {};
  const bool known = dladdr(reinterpret_cast<const void*>(&own_build), &library) != 0 && library.dli_fname;
  for (const std::string& file :
       {std::string("/proc/self/exe"), std::string(known ? library.dli_fname : "")}) {
    if (const auto status = file.starts_with('/') ? status_of(file) : std::nullopt)
      build += numbers_of(*status) + "\n";
  }
  return build;
}

std::string machine(Device& device) {
  std::string text = concat(device.name(), "\n");
  for (const auto& [name, value] : device.facts().target.facts) text += concat(name, " ", value, "\n");
  return text;
}

// Numbers apart by spaces.
std::vector<int64_t> numbers_in(std::string_view text) {
  std::vector<int64_t> numbers;
  for (const std::string_view word : split(text, ' ')) {
    if (!word.empty() && !parse_number(word, numbers.emplace_back()))
      throw Error(ErrorKind::corrupt, concat("expected numbers, found \"", word, "\""));
  }
  return numbers;
}

std::string layouts_text(const std::vector<Argument>& arguments) {
  std::string text;
  for (const Argument& argument : arguments) text += concat(argument.layout, " ");
  return text;
}

std::vector<Argument> arguments_of(const Graph& graph, const std::vector<Port>& ports,
                                   std::string_view layouts) {
  const std::vector<int64_t> numbers = numbers_in(layouts);
  if (numbers.size() != ports.size())
    throw Error(ErrorKind::corrupt, concat(ports.size(), " arguments with ", numbers.size(), " layouts"));
  std::vector<Argument> arguments;
  for (size_t i = 0; i < ports.size(); ++i)
    arguments.push_back({ports[i].name, graph.type(ports[i].value), numbers[i]});
  return arguments;
}

// What a file says, in a fixed order, and the bytes of its parameters.
uint64_t checksum(const Safetensors& file) {
  Hasher hasher;
  for (const auto& [name, value] : file.metadata) {
    if (name != "checksum") hasher.add(static_cast<uint64_t>(value.size())).add(name).add(value);
  }
  const Tensor& bytes = file.tensors.at("bytes");
  return hasher.add(hash_of({bytes.data(), static_cast<size_t>(bytes.bytes())})).digest();
}

class Reading {
 public:
  Reading(Device& device, const Safetensors& file) : device_(device), file_(file) {}

  ReadyProgram ready() {
    ReadyProgram ready;
    Program& program = ready.program;
    program.target = device_.target().name;
    program.graph = parse_graph(at("graph"));
    program.donations = program.graph.donations;
    program.inputs = arguments_of(program.graph, program.graph.inputs, at("inputs"));
    program.outputs = arguments_of(program.graph, program.graph.outputs, at("outputs"));
    const std::vector<int64_t> numbers = numbers_in(at("numbers"));
    if (numbers.size() != 10) throw Error(ErrorKind::corrupt, "expected ten numbers");
    program.memory = {.code = numbers[0],
                      .arguments = numbers[1],
                      .outputs = numbers[2],
                      .temporaries = numbers[3],
                      .floor = numbers[4],
                      .plain_temporaries = numbers[5]};
    program.options = {.threads = static_cast<int>(numbers[6]),
                       .memory_limit = numbers[7],
                       .deterministic = numbers[8] != 0,
                       .sole_reader = numbers[9] != 0};
    add_parameters(ready);
    ready.about.graph = parse_graph(at("about"));
    std::map<std::string, std::string> known;
    for (const std::string_view key : {kLabelsKey, kPreprocessKey}) {
      const auto found = file_.metadata.find(std::string(key));
      if (found != file_.metadata.end()) known.insert(*found);
    }
    take_metadata(ready.about, std::move(known));
    for (const std::string_view note : split(at("notes"), '\n')) {
      if (!note.empty()) ready.notes.emplace_back(note);
    }
    return ready;
  }

 private:
  const std::string& at(const std::string& name) const {
    const auto found = file_.metadata.find(name);
    if (found == file_.metadata.end()) throw Error(ErrorKind::corrupt, concat("holds no ", name));
    return found->second;
  }

  // The mapped bytes are the device's tensors.
  void add_parameters(ReadyProgram& ready) {
    const Tensor& bytes = file_.tensors.at("bytes");
    const void* const owner = device_.allocate({DType::u8, {1}}, 0).storage()->device;
    const std::vector<int64_t> sizes = numbers_in(at("sizes"));
    if (sizes.size() != ready.program.inputs.size())
      throw Error(ErrorKind::corrupt, "not one size per argument");
    int64_t place = 0;
    for (size_t i = 0; i < sizes.size(); ++i) {
      const Argument& argument = ready.program.inputs[i];
      if (sizes[i] == 0) continue;  // data
      if (sizes[i] < byte_size(argument.type) || sizes[i] > bytes.bytes() - place)
        throw Error(ErrorKind::corrupt, "a parameter lies outside");
      auto storage = std::make_shared<Storage>();
      storage->data = const_cast<std::byte*>(bytes.data() + place);
      storage->bytes = sizes[i];
      place += rounded(sizes[i]);
      storage->read_only = true;
      storage->owner = bytes.storage();
      storage->device = owner;
      storage->layout = argument.layout;
      ready.parameters.emplace(argument.name, Tensor(argument.type, std::move(storage)));
    }
  }

  Device& device_;
  const Safetensors& file_;
};

Safetensors file_of(const ReadyProgram& ready) {
  const Program& program = ready.program;
  Safetensors file;
  file.metadata = metadata_of(ready.about);
  file.metadata["about"] = print(ready.about.graph);
  file.metadata["graph"] = print(program.graph);
  file.metadata["inputs"] = layouts_text(program.inputs);
  file.metadata["outputs"] = layouts_text(program.outputs);
  file.metadata["notes"] = join(ready.notes, "\n");
  file.metadata["numbers"] =
      concat(program.memory.code, " ", program.memory.arguments, " ", program.memory.outputs, " ",
             program.memory.temporaries, " ", program.memory.floor, " ", program.memory.plain_temporaries,
             " ", program.options.threads, " ", program.options.memory_limit, " ",
             program.options.deterministic ? 1 : 0, " ", program.options.sole_reader ? 1 : 0);
  int64_t total = 0;
  std::string sizes;  // of memory, which a layout may make larger than the elements; 0: data
  for (const Argument& input : program.inputs) {
    const auto found = ready.parameters.find(input.name);
    const int64_t size = found == ready.parameters.end() ? 0 : found->second.storage()->bytes;
    sizes += concat(size, " ");
    total += rounded(size);
  }
  file.metadata["sizes"] = sizes;
  Tensor bytes(Type{DType::u8, {total}});
  std::byte* to = bytes.mutable_data();
  for (const Argument& input : program.inputs) {
    const auto found = ready.parameters.find(input.name);
    if (found == ready.parameters.end()) continue;
    const Storage& storage = *found->second.storage();
    std::memcpy(to, storage.data, static_cast<size_t>(storage.bytes));
    to += rounded(storage.bytes);
  }
  file.tensors["bytes"] = std::move(bytes);
  return file;
}

// Whether what lies on the device can be written down as bytes.
bool is_addressable(const ReadyProgram& ready) {
  return std::ranges::all_of(ready.parameters, [](const auto& entry) {
    return !entry.second.empty() && entry.second.storage()->data;
  });
}

// A text that is not UTF-8 would not come back as it was.
bool comes_back(const std::map<std::string, std::string>& texts) {
  return std::ranges::all_of(
      texts, [](const auto& entry) { return Json::parse(Json(entry.second).dump()).text() == entry.second; });
}

}  // namespace

ReadyCache::Identity ReadyCache::identity_of(const std::string& file) {
  const std::optional<struct stat> status = status_of(file);
  if (!status || !S_ISREG(status->st_mode)) return {};
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  const auto last = std::max(status->st_mtim.tv_sec, status->st_ctim.tv_sec);
  return {numbers_of(*status), last + kSettled <= now};
}

ReadyCache::ReadyCache(Device& device, std::string model_file, const std::string& how)
    : device_(device), file_(std::move(model_file)), identity_(identity_of(file_)) {
  const std::optional<std::string> folder = cache_folder("programs");
  if (!folder || identity_.text.empty()) return;
  std::error_code error;
  key_ = concat(fs::absolute(file_, error).string(), "\n", how, "\n", machine(device), own_build());
  path_ = concat(*folder, "/", hex(hash_bytes(key_)), ".safetensors");
  if (!identity_.settled) content();
}

uint64_t ReadyCache::content() {
  if (!content_) content_ = hash_of(MappedFile(file_).bytes());
  return *content_;
}

std::optional<ReadyProgram> ReadyCache::find() {
  std::error_code error;
  if (path_.empty() || !fs::exists(path_, error)) return std::nullopt;
  try {
    const Safetensors file = read_safetensors_file(path_);
    const auto says = [&](const char* name, const std::string& value) {
      const auto found = file.metadata.find(name);
      return found != file.metadata.end() && found->second == value;
    };
    if (!file.tensors.contains("bytes") || !says("checksum", hex(checksum(file))))
      throw Error(ErrorKind::corrupt, concat(path_, ": the checksum is wrong"));
    const bool untouched = says("file", identity_.text) && says("settled", "yes");
    if (!says("key", key_) || !(untouched || says("content", hex(content())))) return std::nullopt;
    ReadyProgram ready = Reading(device_, file).ready();
    fs::last_write_time(path_, fs::file_time_type::clock::now(), error);  // the least recently used go first
    return ready;
  } catch (const Error& problem) {
    if (problem.kind() == ErrorKind::not_found) return std::nullopt;  // gone since
    throw Error(ErrorKind::corrupt, problem.what()).in_file(path_);
  }
}

void ReadyCache::keep(const ReadyProgram& ready) {
  if (path_.empty() || !is_addressable(ready)) return;
  try {
    const std::optional<uint64_t> before = content_;
    content_.reset();
    const bool same = before.value_or(content()) == content() && identity_of(file_).text == identity_.text;
    Safetensors file = file_of(ready);
    const int64_t bytes = file.tensors.at("bytes").bytes();
    if (!same || bytes > kCacheLimit / 4) return;
    file.metadata["key"] = key_;
    file.metadata["file"] = identity_.text;
    file.metadata["settled"] = identity_.settled ? "yes" : "no";
    file.metadata["content"] = hex(content());
    if (!comes_back(file.metadata)) return;
    file.metadata["checksum"] = hex(checksum(file));
    trim_cache(fs::path(path_).parent_path().string(), kCacheLimit - bytes, path_);
    write_safetensors_file(file, path_);
  } catch (const Error&) {
    return;  // a full or read-only place: it works without
  }
}

}  // namespace temper
