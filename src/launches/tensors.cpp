#include "launches/tensors.h"

#include "base/check.h"

namespace temper::launches {

Tensor allocate(Machine& machine, const Type& type, const void* device) {
  Tensor tensor = machine.make_tensor(type, device);
  machine.zero(machine.place_of(tensor), tensor.bytes());
  return tensor;
}

void copy(const Machine& machine, const Tensor& from, Tensor& to) {
  TEMPER_CHECK(from.type() == to.type(), "copy from ", to_string(from.type()), " to ", to_string(to.type()));
  if (from.on_host()) {
    machine.write(from.data(), machine.place_of(to), from.bytes());
  } else if (to.on_host()) {
    machine.read(machine.place_of(from), to.mutable_data(), to.bytes());
  } else if (from.storage() != to.storage()) {
    machine.copy(machine.place_of(from), machine.place_of(to), from.bytes());
    machine.finish();
  }
}

}  // namespace temper::launches
