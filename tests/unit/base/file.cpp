#include "base/file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "temper/error.h"

namespace temper {
namespace {

struct FileTest : testing::Test {
  const TemporaryFolder temporary;
  const std::filesystem::path& folder = temporary.path();
  size_t entries() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
  }
};

TEST_F(FileTest, WhatIsCommittedCanBeMapped) {
  const std::string path = folder / "a.bin", large(200'000, 'x');
  FileWriter writer(path);
  writer.write("head");
  writer.write(large);
  EXPECT_EQ(writer.position(), 200'004);
  writer.commit();
  EXPECT_EQ(MappedFile(path).text(), "head" + large);
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, WithoutCommitTheOldFileStays) {
  const std::string path = folder / "a.txt";
  write_file(path, "old");
  {
    FileWriter(path).write("new");
  }
  EXPECT_EQ(MappedFile(path).text(), "old");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, EmptyFilesAreFiles) {
  write_file(folder / "empty", "");
  EXPECT_TRUE(MappedFile(folder / "empty").bytes().empty());
}

TEST_F(FileTest, ErrorsNameThePathAndTheKind) {
  const auto kind = [](auto act, const std::string& path) {
    try {
      act();
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
      return error.kind();
    }
    return ErrorKind::internal;
  };
  const std::string absent = folder / "absent", folder_path = folder, nowhere = folder / "no/where";
  EXPECT_EQ(kind([&] { MappedFile file(absent); }, absent), ErrorKind::not_found);
  EXPECT_EQ(kind([&] { MappedFile file(folder_path); }, folder_path), ErrorKind::invalid);
  EXPECT_EQ(kind([&] { write_file(nowhere, "x"); }, nowhere), ErrorKind::not_found);
  if (std::filesystem::exists("/dev/full")) {
    EXPECT_EQ(kind([] { MappedFile file("/dev/full"); }, "/dev/full"), ErrorKind::invalid);
  }
}

TEST_F(FileTest, DevicesAreWrittenDirectly) {
  write_file("/dev/null", "x");
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  expect_error(ErrorKind::exhausted, "No space left on device", [] { write_file("/dev/full", "x"); });
}

}  // namespace
}  // namespace temper
