#include "formats/native.h"

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/text.h"
#include "formats/safetensors.h"
#include "ir/text.h"
#include "ops/registry.h"
#include "temper/error.h"

namespace temper {

namespace fs = std::filesystem;

static constexpr const char *kGraph = "graph.txt", *kParameters = "parameters.safetensors";
static const std::string kNameKey = "temper.name";

bool is_native(const std::string& path) { return fs::is_regular_file(fs::path(path) / kGraph); }

Model read_native(const std::string& path, const ReadOptions& options) {
  const std::string graph_path = (fs::path(path) / kGraph).string();
  Model model = read_safetensors((fs::path(path) / kParameters).string(), options);
  try {
    model.graph = parse_graph(MappedFile(graph_path).text());
    check(model);
  } catch (const Error& error) {
    if (!error.file().empty()) throw;
    throw Error(error.kind(), concat(graph_path, ": ", error.what())).in_file(graph_path);
  }
  if (const auto name = model.metadata.find(kNameKey); name != model.metadata.end()) {
    model.name = name->second;
    model.metadata.erase(name);
  }
  return model;
}

// Moves `fresh` to `path`, whatever was there before.
static void replace(const fs::path& fresh, const fs::path& path) {
  const fs::path old = fresh.string() + ".old";
  const bool existed = fs::exists(path);
  if (existed) fs::rename(path, old);
  fs::rename(fresh, path);
  if (existed) fs::remove_all(old);
}

void write_native(const Model& model, const std::string& path, const WriteOptions&) {
  fs::path target = fs::path(path).lexically_normal();
  if (!target.has_filename()) target = target.parent_path();
  if (fs::exists(target) && !is_native(target.string()))
    throw Error(ErrorKind::invalid, concat(path, ": something other than a model stands there"))
        .in_file(path);
  std::string scratch = target.string() + ".part-XXXXXX";
  if (!mkdtemp(scratch.data()))
    throw Error(ErrorKind::invalid,
                concat("cannot write ", path, ": the folder above is absent or read-only"))
        .in_file(path);
  try {
    fs::permissions(
        scratch,
        fs::perms::group_read | fs::perms::group_exec | fs::perms::others_read | fs::perms::others_exec,
        fs::perm_options::add);
    write_file((fs::path(scratch) / kGraph).string(), print(model.graph));
    std::map<std::string, std::string> metadata = metadata_of(model);
    if (!model.name.empty()) metadata[kNameKey] = model.name;
    write_safetensors_file({model.parameters, std::move(metadata)},
                           (fs::path(scratch) / kParameters).string());
    replace(scratch, target);
  } catch (const fs::filesystem_error& error) {
    fs::remove_all(scratch);
    throw Error(ErrorKind::invalid, concat("cannot write ", path, ": ", error.code().message()))
        .in_file(path);
  } catch (...) {
    fs::remove_all(scratch);
    throw;
  }
}

}  // namespace temper
