#include "devices/pjrt/executable.h"

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "devices/pjrt/cache.h"
#include "devices/pjrt/tensors.h"
#include "runtime/isolate.h"

namespace temper::pjrt {

namespace {

class PjrtExecutable : public Executable {
 public:
  PjrtExecutable(Device& device, std::shared_ptr<Client> client, Program program,
                 std::unique_ptr<LoadedExecutable> loaded)
      : device_(device),
        client_(std::move(client)),
        program_(std::move(program)),
        loaded_(std::move(loaded)) {}

  const Program& program() const override { return program_; }
  std::unique_ptr<Context> make_context(std::shared_ptr<Arena>) const override {
    return std::make_unique<Context>();
  }

  void run(Context&, std::span<Tensor> arguments, std::span<Tensor> results) const override {
    TEMPER_CHECK(arguments.size() == program_.inputs.size() && results.size() == program_.outputs.size(),
                 "got ", arguments.size(), " arguments and ", results.size(), " results");
    std::vector<std::vector<CBuffer*>> buffers(static_cast<size_t>(program_.options.replicas));
    for (size_t i = 0; i < arguments.size(); ++i) {
      const Argument& input = program_.inputs[i];
      TEMPER_CHECK(arguments[i].type() == input.type && arguments[i].storage()->device == &device_ &&
                       arguments[i].storage()->layout == input.layout,
                   input.name);
      const auto& parts = buffers_of(*client_, arguments[i]);
      for (size_t replica = 0; replica < buffers.size(); ++replica)
        buffers[replica].push_back(parts[replica]->get());
    }
    // A buffer that another tensor holds, too, is copied by XLA.
    std::vector<int64_t> kept;
    for (const Donation& donation : program_.donations) {
      Tensor& taken = arguments[static_cast<size_t>(donation.input)];
      const auto held_twice = [](const std::shared_ptr<Buffer>& buffer) { return buffer.use_count() > 1; };
      if (taken.storage().use_count() > 1 || std::ranges::any_of(holder_of(taken).buffers, held_twice))
        kept.push_back(donation.input);
    }
    std::vector<Tensor> given(program_.donations.size());  // what a failed run loses
    for (size_t i = 0; i < given.size(); ++i)
      given[i] = std::exchange(arguments[static_cast<size_t>(program_.donations[i].input)], Tensor());
    const std::vector<LoadedExecutable::Buffers> made = loaded_->execute(buffers, kept);
    for (size_t i = 0; i < given.size(); ++i)
      results[static_cast<size_t>(program_.donations[i].output)] =
          std::ranges::find(kept, program_.donations[i].input) == kept.end() ? std::move(given[i]) : Tensor();
    for (size_t i = 0; i < results.size(); ++i) {
      const Argument& output = program_.outputs[i];
      if (results[i].empty()) results[i] = make_tensor(output.type, output.layout, &device_);
      std::vector<std::shared_ptr<Buffer>>& parts = holder_of(results[i]).buffers;
      parts.clear();
      for (const LoadedExecutable::Buffers& of_replica : made) parts.push_back(of_replica[i]);
    }
  }

 private:
  Device& device_;
  std::shared_ptr<Client> client_;
  Program program_;
  std::unique_ptr<LoadedExecutable> loaded_;
};

std::unique_ptr<LoadedExecutable> load(Client& client, const std::string& text, int replicas) {
  const ExecutableCache cache(concat(client.plugin().identity(), "\n", client.platform_version(), "\n",
                                     client.device_kind(), "\n",
                                     client.platform_name() == "cpu" ? processor_features() : "", "\n",
                                     client.options(replicas), "\n", text));
  if (const std::optional<std::string> bytes = cache.find()) {
    try {
      return client.deserialize(*bytes);
    } catch (const Error& problem) {
      cache.damaged(problem.what());
    }
  }
  if (compiles_isolated()) {
    const std::string bytes =
        compile_in_process("pjrt", {client.which(), concat(replicas)}, text, client.plugin().path());
    cache.keep(bytes);
    return client.deserialize(bytes);
  }
  std::unique_ptr<LoadedExecutable> loaded = client.compile(text, replicas);
  try {
    cache.keep(loaded->serialized());
  } catch (const Error& problem) {  // a plug-in need not be able to
    log_debug("a compiled program is not kept: ", problem.what());
  }
  return loaded;
}

// For people: what takes most of the memory.
std::string largest_arguments(const Program& program) {
  std::vector<Argument> arguments = program.inputs;
  std::ranges::stable_sort(arguments, std::greater(), [](const Argument& a) { return byte_size(a.type); });
  arguments.resize(std::min<size_t>(arguments.size(), 3));
  std::vector<std::string> texts;
  for (const Argument& argument : arguments)
    texts.push_back(concat(argument.name, " ", to_string(argument.type)));
  return join(texts, ", ");
}

}  // namespace

std::unique_ptr<Executable> make_executable(Device& device, std::shared_ptr<Client> client,
                                            const Program& program) {
  std::unique_ptr<LoadedExecutable> loaded = load(*client, program.code, program.options.replicas);
  TEMPER_CHECK(loaded->outputs() == program.outputs.size(), loaded->outputs(), " results");
  Program known = program;
  const CompiledMemory memory = loaded->memory();
  known.memory.code = memory.code;
  known.memory.temporaries = known.memory.floor = known.memory.plain_temporaries = memory.temporaries;
  if (program.options.memory_limit > 0 && known.memory.total() > program.options.memory_limit)
    throw MemoryRefused(program.options.memory_limit, known.memory.total(), largest_arguments(program));
  return std::make_unique<PjrtExecutable>(device, std::move(client), std::move(known), std::move(loaded));
}

}  // namespace temper::pjrt
