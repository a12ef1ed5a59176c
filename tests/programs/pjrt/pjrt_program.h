#pragma once
// The program on a PJRT plug-in.
#include "support/device_program.h"

namespace temper {

class PjrtProgram : public DeviceProgram {
 protected:
  void SetUp() override { TEMPER_NEED_PJRT(); }
};

}  // namespace temper
