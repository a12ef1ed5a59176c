#include "unit/train/run.h"

#include <fstream>
#include <sstream>

#include "base/philox.h"
#include "devices/cpu/cpu.h"
#include "runtime/registry.h"

namespace temper {
namespace {

void append_big_endian(std::string& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 255);
}

void write_split(const TemporaryFolder& folder, const std::string& prefix, int64_t count, uint64_t seed) {
  std::string images, labels;
  append_big_endian(images, 0x803);
  append_big_endian(labels, 0x801);
  for (uint32_t size : {static_cast<uint32_t>(count), 8u, 8u}) append_big_endian(images, size);
  append_big_endian(labels, static_cast<uint32_t>(count));
  uint64_t index = 0;
  const PhiloxKey key{static_cast<uint32_t>(seed), 7};
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t label = random_word(key, index++) % 4;
    labels += static_cast<char>(label);
    for (uint32_t y = 0; y < 8; ++y) {
      for (uint32_t x = 0; x < 8; ++x) {
        const bool bright = y / 4 * 2 + x / 4 == label;
        images += static_cast<char>(random_word(key, index++) % 120 + (bright ? 90 : 0));
      }
    }
  }
  folder.write(prefix + "-images-idx3-ubyte", images);
  folder.write(prefix + "-labels-idx1-ubyte", labels);
}

}  // namespace

Device& test_device() {
  [[maybe_unused]] static const bool once = [] {
    register_device(cpu::cpu_device());
    return true;
  }();
  return open_device("cpu");
}

std::string write_quarters(const TemporaryFolder& folder, int64_t train, int64_t test) {
  write_split(folder, "quarters/train", train, 1);
  write_split(folder, "quarters/t10k", test, 2);
  return (folder.path() / "quarters").string();
}

Recipe small_recipe(const TemporaryFolder& folder, const std::string& data, const std::string& out) {
  test_device();
  Recipe recipe;
  recipe.model = "mlp:64-16-4";
  recipe.data = data;
  recipe.preprocess = "gray,unit";
  recipe.lr = 0.01;
  recipe.batch = 16;
  recipe.epochs = 3;
  recipe.threads = 1;
  recipe.out = (folder.path() / out).string();
  return recipe;
}

std::string bytes_of(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace temper
