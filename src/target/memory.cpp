#include "base/text.h"
#include "target/target.h"

namespace temper {

MemoryRefused::MemoryRefused(int64_t limit, int64_t least, const std::string& largest)
    : Error(ErrorKind::exhausted, concat("the program needs at least ", least, " bytes, the limit is ", limit,
                                         "; the largest tensors: ", largest)),
      least_(least),
      largest_(largest) {}

}  // namespace temper
