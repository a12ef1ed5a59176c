#pragma once
// Long work that a person stops.
#include "base/stop_signal.h"
#include "temper/error.h"

namespace temper {

// Not a failure: whoever can save does, the rest goes up.
class Interrupted : public Error {
 public:
  Interrupted() : Error(ErrorKind::invalid, "stopped by a signal") {}
};

inline void stop_if_asked() {
  if (stop_signal() != 0) throw Interrupted();
}

}  // namespace temper
