#pragma once
// Models of shared/data, unpacked if need be.
#include <cstdlib>
#include <filesystem>
#include <string>

#include "formats/format.h"
#include "support/temporary_folder.h"

namespace temper {

inline Model read_packed(const std::filesystem::path& path) {
  if (path.extension() != ".gz") return read_model(path.string());
  const TemporaryFolder folder;
  const std::string unpacked = (folder.path() / "model.onnx").string();
  EXPECT_EQ(std::system(("gzip -dc '" + path.string() + "' > '" + unpacked + "'").c_str()), 0);
  return read_model(unpacked);
}

}  // namespace temper
