// MKL asks this before it takes its AVX-512 code; preloaded, it does so on AMD as well, where PyTorch's f32 products then run
// twice as fast.
int mkl_serv_intel_cpu_true(void) { return 1; }
