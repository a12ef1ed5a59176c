#pragma once
// What kernels in C-like source are written in. A kernel's text uses the words below and nothing of a vendor;
// a dialect defines them, so one generator serves every language that looks like C.
//
// * KERNEL, GLOBAL, LOCAL, INLINE: qualifiers of an entry point, memory of the device, of a group, a helper
// * LANES(n): items of a group; ITEM, GROUP, LANE: number of this item, of its group, within its group
// * BARRIER: a group's meeting
// * i8 u8 i16 u16 i32 u32 i64 u64 f32 f64: types; HAS_F64 is defined if there is f64
// * AS_U32(f32) AS_F32(u32) AS_U64(f64) AS_F64(u64): bits
// * f16_to_f32(u16) f32_to_f16(f32): 16-bit floats as bits
// * MUL_ADD(a, b, c): a b + c, rounded once where that is as fast
// * INF, NOT_A_NUMBER: as f32
//
// Functions of numbers (exp, fabs, fma, isnan, ...) have the names of C and take f32 and f64.
#include <string>
#include <string_view>

namespace temper {

struct Dialect {
  std::string_view name;   // "OpenCL C"
  std::string_view words;  // text that defines the words
};

// What stands before the kernels of one program: the words and the functions that kernels share.
std::string preamble(const Dialect& dialect);

}  // namespace temper
