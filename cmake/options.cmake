# What every target is compiled with.
set(TEMPER_SANITIZE "" CACHE STRING "sanitizers to build with, as for -fsanitize=")
option(TEMPER_FUZZ "build the libFuzzer programs of tests/fuzz (needs clang)" OFF)
add_compile_options(-Wall -Wextra -Wno-missing-field-initializers -fno-math-errno -ffp-contract=off
                    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)  # false alarms of GCC 12 on std::string
if(TEMPER_SANITIZE)
  add_compile_options(-fsanitize=${TEMPER_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TEMPER_SANITIZE})
endif()
if(TEMPER_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL Clang)
    message(FATAL_ERROR "TEMPER_FUZZ needs clang: configure with the preset `fuzz`")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
find_program(TEMPER_CCACHE ccache)
if(TEMPER_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${TEMPER_CCACHE})
endif()
find_program(TEMPER_MOLD mold)
if(TEMPER_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
add_link_options(-Wl,--as-needed)  # a library that nobody calls costs time at each start
