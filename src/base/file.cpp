#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "temper/error.h"

namespace temper {

static ErrorKind kind_of(int code) {
  switch (code) {
    case ENOENT:
    case ENOTDIR:
      return ErrorKind::not_found;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return ErrorKind::exhausted;
    default:
      return ErrorKind::invalid;
  }
}

[[noreturn]] static void fail(std::string_view what, const std::string& path, int code) {
  throw Error(kind_of(code), concat(what, " ", path, ": ", std::generic_category().message(code)))
      .in_file(path);
}

MappedFile::MappedFile(const std::string& path) : path_(path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail("cannot open", path, errno);
  struct stat status{};
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    const int code = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
    close(descriptor);
    fail("cannot read", path, code);
  }
  size_ = static_cast<size_t>(status.st_size);
  void* address = size_ > 0 ? mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0) : nullptr;
  const int code = errno;
  close(descriptor);
  if (address == MAP_FAILED) fail("cannot map", path, code);
  data_ = static_cast<const std::byte*>(address);
}

MappedFile::~MappedFile() {
  if (data_) munmap(const_cast<std::byte*>(data_), size_);
}

FileWriter::FileWriter(std::string path) : path_(std::move(path)) {
  struct stat status{};
  if (stat(path_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {  // a pipe or a device is not replaced
    descriptor_ = open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail("cannot write", path_, errno);
    return;
  }
  static std::atomic<unsigned> counter = 0;
  temporary_ = concat(path_, ".part-", getpid(), "-", ++counter);
  descriptor_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail("cannot write", path_, errno);
}

FileWriter::~FileWriter() {
  if (descriptor_ < 0) return;
  close(descriptor_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void FileWriter::write(std::span<const std::byte> bytes) {
  constexpr size_t kBuffer = size_t{1} << 16;
  position_ += static_cast<int64_t>(bytes.size());
  if (buffer_.size() + bytes.size() < kBuffer) {
    buffer_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return;
  }
  flush();
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot write", path_, errno);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

void FileWriter::flush() {
  size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t written = ::write(descriptor_, buffer_.data() + done, buffer_.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot write", path_, errno);
    done += static_cast<size_t>(written);
  }
  buffer_.clear();
}

void FileWriter::commit() {
  flush();
  const bool replaces = !temporary_.empty();
  if (replaces && fsync(descriptor_) != 0) fail("cannot write", path_, errno);
  if (replaces && rename(temporary_.c_str(), path_.c_str()) != 0) fail("cannot write", path_, errno);
  const bool closed = close(std::exchange(descriptor_, -1)) == 0;
  if (!closed) fail("cannot write", path_, errno);
  if (!replaces) return;
  const std::string folder = std::filesystem::path(path_).parent_path().string();
  const int parent = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (parent < 0) return;  // the rename stands; only its durability cannot be forced
  fsync(parent);
  close(parent);
}

void write_file(const std::string& path, std::string_view contents) {
  FileWriter writer(path);
  writer.write(contents);
  writer.commit();
}

}  // namespace temper
