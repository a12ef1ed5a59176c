#include "devices/pjrt/compile_options.h"

#include <string_view>

namespace temper::pjrt {

namespace {

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 128; value >>= 7) bytes += static_cast<char>((value & 127) | 128);
  return bytes + static_cast<char>(value);
}

std::string number(uint64_t field, int64_t value) {
  return varint(field << 3) + varint(static_cast<uint64_t>(value));
}

std::string message(uint64_t field, std::string_view bytes) {
  return varint(field << 3 | 2).append(varint(bytes.size())).append(bytes);
}

}  // namespace

std::string compile_options(std::span<const int64_t> devices) {
  const auto replicas = static_cast<int64_t>(devices.size());
  std::string ids;
  for (const int64_t device : devices) ids += varint(static_cast<uint64_t>(device));
  // DeviceAssignmentProto: replica_count, computation_count, computation_devices { replica_device_ids }
  const std::string assignment = number(1, replicas) + number(2, 1) + message(3, message(1, ids));
  // ExecutableBuildOptionsProto: device_ordinal (none), num_replicas, num_partitions, device_assignment
  return message(3, number(1, -1) + number(4, replicas) + number(5, 1) + message(9, assignment));
}

}  // namespace temper::pjrt
