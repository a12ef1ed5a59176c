#include "train/tensor_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "formats/safetensors.h"
#include "temper/error.h"

namespace temper {
namespace {

[[noreturn]] void system_failure(const std::string& path, std::string_view what, int code) {
  const bool full = code == ENOSPC || code == EDQUOT;
  throw Error(full ? ErrorKind::exhausted : ErrorKind::invalid,
              concat("cannot ", what, " ", path, ": ", std::strerror(code)))
      .in_file(path);
}

}  // namespace

MappedTensorFile::MappedTensorFile(std::string path, const std::vector<std::pair<std::string, Type>>& types,
                                   const std::map<std::string, std::string>& metadata)
    : path_(std::move(path)), temporary_(concat(path_, ".", getpid(), ".part")) {
  const std::string header = safetensors_header(types, metadata, path_);
  bytes_ = header.size();
  for (const auto& [name, type] : types) bytes_ += static_cast<size_t>(byte_size(type));
  const int descriptor = open(temporary_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) system_failure(temporary_, "create", errno);
  const int full = posix_fallocate(descriptor, 0, static_cast<off_t>(bytes_));
  void* address =
      full ? MAP_FAILED : mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  const int code = full ? full : errno;
  close(descriptor);
  if (address == MAP_FAILED) {
    unlink(temporary_.c_str());
    system_failure(temporary_, "reserve", code);
  }
  mapping_ = std::shared_ptr<void>(address, [bytes = bytes_](void* at) { munmap(at, bytes); });
  auto* data = static_cast<std::byte*>(address);
  std::memcpy(data, header.data(), header.size());
  data += header.size();
  for (const auto& [name, type] : types) {
    auto storage = std::make_shared<Storage>();
    storage->data = data;
    storage->bytes = byte_size(type);
    storage->owner = mapping_;
    tensors_[name] = Tensor(type, std::move(storage));
    data += byte_size(type);
  }
}

MappedTensorFile::~MappedTensorFile() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void MappedTensorFile::commit() {
  if (msync(mapping_.get(), bytes_, MS_SYNC) != 0) system_failure(temporary_, "write", errno);
  if (rename(temporary_.c_str(), path_.c_str()) != 0) system_failure(path_, "rename to", errno);
  temporary_.clear();
}

}  // namespace temper
