#pragma once
// What this machine reaches at best, measured.

namespace temper::cpu {

struct Peaks {
  double flops = 0;             // f32 matrix multiplication
  double bf16_flops = 0;        // the same of bf16; 0: oneDNN has no kernel
  double bytes_per_second = 0;  // copying memory, read and written
};

// Measured once per process and number of threads, in about half a second.
const Peaks& measured_peaks(int threads);

}  // namespace temper::cpu
