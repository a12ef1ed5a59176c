#pragma once
// Files as a whole: mapped for reading, written under a temporary name and renamed when complete.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace temper {

// A file's bytes, read-only, for as long as the object lives. Thread-safe.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);  // Error not_found or invalid, naming the path
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// Writes `path` so that it is either complete or as it was: a temporary file beside it, synced and renamed by
// commit(). Without commit() nothing is left. A pipe or a device is written directly. Errors name the path
// and the cause (disk full: exhausted).
class FileWriter {
 public:
  explicit FileWriter(std::string path);
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;
  ~FileWriter();

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  int64_t position() const { return position_; }  // bytes written so far
  void commit();

 private:
  void flush();

  std::string path_, temporary_, buffer_;
  int descriptor_ = -1;
  int64_t position_ = 0;
};

void write_file(const std::string& path, std::string_view contents);  // by a FileWriter

}  // namespace temper
