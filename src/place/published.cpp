#include "place/published.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace temper {
namespace {

constexpr double kTera = 1e12, kGiga = 1e9, kGibi = 1024.0 * 1024 * 1024;
constexpr double kArithmetic = 0.4, kMemory = 0.7;  // of the peaks
constexpr double kLaunch = 5e-6;

// A TPU computes f32 with all its digits as six products in bf16.
constexpr double six(double bf16) { return bf16 / 6; }

// name, title, f32, bf16, bytes per second, memory, watts, source
constexpr std::array<PublishedDevice, 14> kDevices = {{
    {"tpu-v4", "Google TPU v4, a chip", six(275 * kTera), 275 * kTera, 1200 * kGiga, 32 * kGibi, 192,
     "Google Cloud, TPU v4 (2023); Jouppi et al., TPU v4 (2023)"},
    {"tpu-v5e", "Google TPU v5e, a chip", six(197 * kTera), 197 * kTera, 819 * kGiga, 16 * kGibi, 0,
     "Google Cloud, TPU v5e (2023)"},
    {"tpu-v5p", "Google TPU v5p, a chip", six(459 * kTera), 459 * kTera, 2765 * kGiga, 95 * kGibi, 0,
     "Google Cloud, TPU v5p (2023)"},
    {"tpu-v6e", "Google TPU v6e, a chip", six(918 * kTera), 918 * kTera, 1640 * kGiga, 32 * kGibi, 0,
     "Google Cloud, TPU v6e (2024)"},
    {"h200", "NVIDIA H200 SXM", 67 * kTera, 989 * kTera, 4800 * kGiga, 141 * kGiga, 700,
     "NVIDIA, H200 data sheet (2023)"},
    {"h100", "NVIDIA H100 SXM", 67 * kTera, 989 * kTera, 3350 * kGiga, 80 * kGiga, 700,
     "NVIDIA, H100 data sheet (2023)"},
    {"a100", "NVIDIA A100 SXM 80 GB", 19.5 * kTera, 312 * kTera, 2039 * kGiga, 80 * kGiga, 400,
     "NVIDIA, A100 data sheet (2021)"},
    {"l4", "NVIDIA L4", 30.3 * kTera, 121 * kTera, 300 * kGiga, 24 * kGiga, 72,
     "NVIDIA, L4 data sheet (2023)"},
    {"t4", "NVIDIA T4", 8.1 * kTera, 65 * kTera, 320 * kGiga, 16 * kGiga, 70, "NVIDIA, T4 data sheet (2019)"},
    {"rtx4090", "NVIDIA RTX 4090", 82.6 * kTera, 165.2 * kTera, 1008 * kGiga, 24 * kGiga, 450,
     "NVIDIA, Ada architecture paper (2022)"},
    {"jetson-orin", "NVIDIA Jetson AGX Orin 64 GB", 5.3 * kTera, 10.6 * kTera, 204.8 * kGiga, 64 * kGiga, 60,
     "NVIDIA, Jetson AGX Orin technical brief (2022)"},
    {"apple-m1-max", "Apple M1 Max", 10.4 * kTera, 0, 400 * kGiga, 64 * kGiga, 0, "Apple, M1 Max (2021)"},
    {"apple-m2", "Apple M2", 3.6 * kTera, 0, 100 * kGiga, 24 * kGiga, 0, "Apple, M2 (2022)"},
    {"edge-tpu", "Google Edge TPU", 4 * kTera, 4 * kTera, 0.5 * kGiga, 8 * kGibi / 1024, 2,
     "Coral, Edge TPU data sheet (2020): int8, memory of its own for weights, USB 3", false},
}};

}  // namespace

std::span<const PublishedDevice> published_devices() { return kDevices; }

Estimate estimate(const PublishedDevice& device, std::span<const Work> works, DType precision, bool trains) {
  if (!device.trains && trains) return {{}, "it infers in int8 and cannot train"};
  // What has no bf16 computes in f32.
  const double flops =
      precision == DType::bf16 && device.bf16_flops > 0 ? device.bf16_flops : device.f32_flops;
  const double width = !device.trains ? 0.25 : precision == DType::bf16 ? 0.5 : 1;
  double seconds = 0;
  for (const Work& work : works)
    seconds +=
        work.rounds * (kLaunch + std::max(work.flops / (kArithmetic * flops),
                                          width * bytes_of(work) / (kMemory * device.bytes_per_second)));
  return {seconds, {}, width};
}

}  // namespace temper
