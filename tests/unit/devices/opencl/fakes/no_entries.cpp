// A library that is no OpenCL loader.
extern "C" int clGetPlatformIDs() { return 0; }
