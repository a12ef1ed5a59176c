#include "devices/pjrt/client.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "devices/pjrt/compile_options.h"
#include "devices/pjrt/plugin_options.h"
#include "devices/pjrt/types.h"

namespace temper::pjrt {

Buffer::~Buffer() {
  Sent<BufferArgs> destroy;
  destroy->buffer = buffer_;
  client_->plugin().try_call(Function::buffer_destroy, destroy);
}

std::shared_ptr<Client> Client::create(const Plugin& plugin, std::optional<size_t> ordinal) {
  auto client = std::make_shared<Client>(plugin);
  client->connect(ordinal);
  return client;
}

std::string Client::which() const {
  return concat(plugin_.path(), ":", ordinal_ ? concat(*ordinal_) : "all");
}

void Client::connect(std::optional<size_t> ordinal) {
  ordinal_ = ordinal;
  const PluginOptions options;
  Sent<ClientCreateArgs> create;
  create->create_options = options.values().data();
  create->num_options = options.values().size();
  plugin_.call(Function::client_create, create, "find its hardware");
  client_ = create->client;
  Sent<ClientDevicesArgs> list;
  list->client = client_;
  plugin_.call(Function::client_addressable_devices, list, "list its devices");
  addressable_ = list->num_addressable_devices;
  if (ordinal.value_or(0) >= addressable_)
    throw Error(ErrorKind::device, concat("'", plugin_.path(), "' has ", addressable_,
                                          " devices, none with number ", ordinal.value_or(0)))
        .in_file(plugin_.path());
  const size_t first = ordinal.value_or(0), end = ordinal ? first + 1 : addressable_;
  devices_.assign(list->addressable_devices + first, list->addressable_devices + end);
  for (CDevice* const device : devices_) {
    Sent<DeviceDescriptionArgs> description;
    description->device = device;
    plugin_.call(Function::device_get_description, description, "describe its device");
    Sent<DescriptionIdArgs> id;
    id->device_description = description->device_description;
    plugin_.call(Function::description_id, id, "number its device");
    ids_.push_back(id->id);
  }
}

std::string Client::options(int replicas) const {
  return compile_options(std::span(ids_).first(static_cast<size_t>(replicas)));
}

Client::~Client() {
  if (!client_) return;
  Sent<ClientArgs> destroy;
  destroy->client = client_;
  plugin_.try_call(Function::client_destroy, destroy);
}

std::string Client::text(Function function) const {
  Sent<ClientTextArgs> ask;
  ask->client = client_;
  return plugin_.try_call(function, ask) ? std::string(ask->text, ask->text_size) : "";
}

std::string Client::device_kind() const {
  Sent<DeviceDescriptionArgs> description;
  description->device = devices_[0];
  Sent<DescriptionKindArgs> kind;
  if (!plugin_.try_call(Function::device_get_description, description)) return "";
  kind->device_description = description->device_description;
  return plugin_.try_call(Function::description_kind, kind)
             ? std::string(kind->device_kind, kind->device_kind_size)
             : "";
}

int64_t Client::memory_bytes() const {
  Sent<DeviceMemoryArgs> ask;
  ask->device = devices_[0];
  const bool known = plugin_.try_call(Function::device_memory_stats, ask) && ask->bytes_limit.is_set;
  return known ? ask->bytes_limit.value : 0;
}

std::shared_ptr<Buffer> Client::upload(const std::byte* bytes, const Type& type, int replica) {
  const std::vector<int64_t> sizes = type.shape.sizes();
  Sent<BufferFromHostArgs> from;
  from->client = client_;
  from->data = bytes;
  from->type = buffer_type(type.dtype);
  from->dims = sizes.data();
  from->num_dims = sizes.size();
  from->host_buffer_semantics = kImmutableOnlyDuringCall;
  from->device = devices_[static_cast<size_t>(replica)];
  plugin_.call(Function::client_buffer_from_host_buffer, from, "take a tensor");
  auto buffer = std::make_shared<Buffer>(shared_from_this(), from->buffer);
  plugin_.await(from->done_with_host_buffer, "take a tensor");
  return buffer;
}

void Client::download(const Buffer& buffer, const Type& type, std::byte* bytes) {
  std::vector<int64_t> order(static_cast<size_t>(type.shape.rank()));
  std::iota(order.rbegin(), order.rend(), int64_t{0});
  MemoryLayout layout{};
  layout.head.struct_size = sizeof layout;
  layout.tiled.head.struct_size = sizeof layout.tiled;
  layout.tiled.minor_to_major = order.data();
  layout.tiled.minor_to_major_size = order.size();
  Sent<BufferToHostArgs> to;
  to->src = buffer.get();
  to->host_layout = &layout;
  to->dst = bytes;
  to->dst_size = static_cast<size_t>(byte_size(type));
  plugin_.call(Function::buffer_to_host_buffer, to, "give a tensor back");
  plugin_.await(to->event, "give a tensor back");
}

std::unique_ptr<LoadedExecutable> Client::compile(std::string_view stablehlo, int replicas) {
  static constexpr std::string_view kFormat = "mlir";
  const std::string options = this->options(replicas);
  Sent<CProgram> program;
  program->code = stablehlo.data();
  program->code_size = stablehlo.size();
  program->format = kFormat.data();
  program->format_size = kFormat.size();
  Sent<ClientCompileArgs> compile;
  compile->client = client_;
  compile->program = &program.args;
  compile->compile_options = options.data();
  compile->compile_options_size = options.size();
  plugin_.call(Function::client_compile, compile, "compile a program");
  return std::make_unique<LoadedExecutable>(shared_from_this(), compile->executable);
}

std::unique_ptr<LoadedExecutable> Client::deserialize(std::string_view bytes) {
  Sent<DeserializeArgs> load;
  load->client = client_;
  load->serialized_executable = bytes.data();
  load->serialized_executable_size = bytes.size();
  plugin_.call(Function::executable_deserialize_and_load, load, "load a compiled program");
  return std::make_unique<LoadedExecutable>(shared_from_this(), load->loaded_executable);
}

}  // namespace temper::pjrt
