#include "runtime/device.h"

#include "base/check.h"

namespace temper {

Tensor upload(Device& device, const Tensor& host, const Argument& like) {
  if (host.type() != like.type)
    throw Error(ErrorKind::invalid, concat("input `", like.name, "` wants ", to_string(like.type), ", got ",
                                           to_string(host.type())));
  Tensor on_device = device.allocate(like.type, like.layout);
  device.copy(host, on_device);
  return on_device;
}

Tensor download(Device& device, const Tensor& tensor) {
  Tensor host(tensor.type());
  device.copy(tensor, host);
  return host;
}

void count_energy(EnergyMeter& meter, Device& device) {
  meter.add(device.facts().power_counter, [&device] { return device.joules(); });
}

}  // namespace temper
