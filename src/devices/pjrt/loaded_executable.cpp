// Executables: what they need, their bytes, a launch.
#include "base/check.h"
#include "devices/pjrt/client.h"

namespace temper::pjrt {

LoadedExecutable::LoadedExecutable(std::shared_ptr<Client> client, CLoadedExecutable* executable)
    : client_(std::move(client)), loaded_(executable) {
  const Plugin& plugin = client_->plugin();
  Sent<GetExecutableArgs> get;
  get->loaded_executable = loaded_;
  plugin.call(Function::loaded_executable_get_executable, get, "describe a program");
  executable_ = get->executable;
  Sent<NumOutputsArgs> count;
  count->executable = executable_;
  plugin.call(Function::executable_num_outputs, count, "describe a program");
  outputs_ = count->num_outputs;
}

LoadedExecutable::~LoadedExecutable() {
  if (executable_) {
    Sent<ExecutableArgs> destroy;
    destroy->executable = executable_;
    client_->plugin().try_call(Function::executable_destroy, destroy);
  }
  Sent<LoadedExecutableArgs> destroy;
  destroy->executable = loaded_;
  client_->plugin().try_call(Function::loaded_executable_destroy, destroy);
}

CompiledMemory compiled_memory(const Plugin& plugin, CExecutable* executable) {
  Sent<CompiledMemoryArgs> ask;
  ask->executable = executable;
  if (!plugin.try_call(Function::executable_get_compiled_memory_stats, ask)) return {};
  return {ask->generated_code_size_in_bytes, ask->argument_size_in_bytes, ask->output_size_in_bytes,
          ask->alias_size_in_bytes, ask->temp_size_in_bytes};
}

CompiledMemory LoadedExecutable::memory() const { return compiled_memory(client_->plugin(), executable_); }

std::string LoadedExecutable::serialized() const {
  Sent<SerializeArgs> serialize;
  serialize->executable = executable_;
  client_->plugin().call(Function::executable_serialize, serialize, "write a compiled program down");
  std::string bytes(serialize->serialized_bytes, serialize->serialized_bytes_size);
  if (serialize->serialized_executable_deleter)
    serialize->serialized_executable_deleter(serialize->serialized_executable);
  return bytes;
}

std::vector<LoadedExecutable::Buffers> LoadedExecutable::execute(
    std::span<const std::vector<CBuffer*>> arguments, std::span<const int64_t> kept) const {
  const size_t replicas = arguments.size();
  Sent<ExecuteOptions> options;
  options->non_donatable_input_indices = kept.data();
  options->num_non_donatable_input_indices = kept.size();
  std::vector<std::vector<CBuffer*>> results(replicas, std::vector<CBuffer*>(outputs_));
  std::vector<CBuffer* const*> argument_lists;
  std::vector<CBuffer**> result_lists;
  for (size_t i = 0; i < replicas; ++i) {
    argument_lists.push_back(arguments[i].data());
    result_lists.push_back(results[i].data());
  }
  std::vector<CEvent*> complete(replicas);
  Sent<ExecuteArgs> execute;
  execute->executable = loaded_;
  execute->options = &options.args;
  execute->argument_lists = argument_lists.data();
  execute->num_devices = replicas;
  execute->num_args = arguments[0].size();
  execute->output_lists = result_lists.data();
  execute->device_complete_events = complete.data();
  client_->plugin().call(Function::loaded_executable_execute, execute, "run a program");
  std::vector<Buffers> owned(replicas);
  for (size_t i = 0; i < replicas; ++i) {
    for (CBuffer* const result : results[i]) owned[i].push_back(std::make_shared<Buffer>(client_, result));
  }
  for (CEvent* const event : complete) client_->plugin().await(event, "run a program");
  return owned;
}

}  // namespace temper::pjrt
