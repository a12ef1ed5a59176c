#include "data/layout.h"

#include <filesystem>

#include "base/text.h"
#include "temper/error.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

std::string sibling(const std::string& file, std::string_view from, std::string_view to) {
  std::string name = fs::path(file).filename().native();
  const size_t at = name.find(from);
  if (at == std::string::npos) return "";
  name.replace(at, from.size(), to);
  return (fs::path(file).parent_path() / name).native();
}

// The labels that belong to a file of pictures, by MNIST's names; compressed or not.
Part idx_part(const std::string& images) {
  std::string labels = sibling(images, "images", "labels");
  for (const char* rank : {"idx3", "idx4", "idx2"}) {
    if (const std::string other = sibling(labels, rank, "idx1"); !other.empty()) labels = other;
  }
  std::string other = labels.ends_with(".gz") ? labels.substr(0, labels.size() - 3) : labels + ".gz";
  if (!labels.empty() && !fs::exists(labels) && fs::exists(other)) labels = std::move(other);
  if (labels.empty() || !fs::exists(labels)) {
    throw Error(ErrorKind::not_found, concat("no labels for ", images, "; expected ",
                                             labels.empty() ? "'images' in its name, "
                                                              "and a file with 'labels' in that place"
                                                            : labels))
        .in_file(images);
  }
  return {Part::idx, images, labels};
}

Part arrays_part(const std::string& samples) {
  for (const auto& [from, to] : {std::pair("x", "y"), std::pair("X", "y"), std::pair("images", "labels")}) {
    const std::string targets = sibling(samples, from, to);
    if (!targets.empty() && fs::exists(targets)) return {Part::arrays, samples, targets};
  }
  throw Error(ErrorKind::not_found, concat("no targets for ", samples,
                                           "; expected y.npy beside x.npy, or labels.npy beside "
                                           "images.npy"))
      .in_file(samples);
}

// The first of the files that is in the folder.
std::optional<std::string> first_file(const fs::path& folder, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (fs::is_regular_file(folder / name)) return (folder / name).native();
  }
  return std::nullopt;
}

std::optional<Part> idx_in(const fs::path& folder, std::string_view prefix) {
  for (const std::string_view ending : {"-images-idx3-ubyte", "-images.idx3-ubyte", "-images-idx4-ubyte"}) {
    const std::string name = concat(prefix, ending), compressed = name + ".gz";
    if (const auto file = first_file(folder, {name, compressed})) return idx_part(*file);
  }
  return std::nullopt;
}

template <class Make>
std::optional<Part> part_of(const std::optional<std::string>& file, Make&& make) {
  return file ? std::optional<Part>(make(*file)) : std::nullopt;
}

Layout layout_of_folder(const fs::path& folder) {
  const auto table = [](const std::string& file) { return Part{Part::table, file, ""}; };
  const auto below = [&](std::initializer_list<std::string_view> names) -> std::optional<Part> {
    for (const std::string_view name : names) {
      if (fs::is_directory(folder / name)) return Part{Part::folder, (folder / name).native(), ""};
    }
    return std::nullopt;
  };
  Layout layout{below({"train"}), below({"val", "valid", "validation"}), below({"test"})};
  if (layout.train || layout.val || layout.test) return layout;
  layout = {idx_in(folder, "train"), idx_in(folder, "val"), idx_in(folder, "t10k")};
  if (!layout.test) layout.test = idx_in(folder, "test");
  if (layout.train || layout.val || layout.test) return layout;
  layout = {part_of(first_file(folder, {"x_train.npy", "X_train.npy", "train_images.npy", "x.npy", "X.npy",
                                        "images.npy"}),
                    arrays_part),
            part_of(first_file(folder, {"x_val.npy", "X_val.npy", "val_images.npy"}), arrays_part),
            part_of(first_file(folder, {"x_test.npy", "X_test.npy", "test_images.npy"}), arrays_part)};
  if (layout.train || layout.val || layout.test) return layout;
  layout = {part_of(first_file(folder, {"train.csv", "train.csv.gz"}), table),
            part_of(first_file(folder, {"val.csv", "val.csv.gz"}), table),
            part_of(first_file(folder, {"test.csv", "test.csv.gz"}), table)};
  if (layout.train || layout.val || layout.test) return layout;
  return {Part{Part::folder, folder.native(), ""}, {}, {}, 0.1};
}

Layout look(const std::string& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    throw Error(ErrorKind::not_found, concat("no data at ", path, ": there is no such file or folder"))
        .in_file(path);
  }
  if (fs::is_directory(path)) return layout_of_folder(path);
  const std::string name = fs::path(path).filename().native();
  if (name.ends_with(".csv") || name.ends_with(".csv.gz")) return {Part{Part::table, path, ""}, {}, {}, 0.1};
  if (name.ends_with(".npy")) return {arrays_part(path), {}, {}};
  if (name.find("idx") != std::string::npos) return {idx_part(path), {}, {}};
  throw Error(
      ErrorKind::unsupported,
      concat(path, ": expected a folder of class folders, IDX files, a .csv, a .csv.gz or a .npy file"))
      .in_file(path);
}

}  // namespace

Layout layout_of(const std::string& path) {
  try {
    return look(path);
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorKind::invalid, concat("cannot read ", path, ": ", error.code().message())).in_file(path);
  }
}

Part single_part(const std::string& path) {
  const Layout layout = layout_of(path);
  const int parts = layout.train.has_value() + layout.val.has_value() + layout.test.has_value();
  if (parts != 1)
    throw Error(ErrorKind::invalid, concat(path, " is split into ", parts, " sets; name one of them"));
  return layout.train ? *layout.train : layout.val ? *layout.val : *layout.test;
}

}  // namespace temper
