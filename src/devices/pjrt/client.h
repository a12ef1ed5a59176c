#pragma once
// A plug-in's objects with owners: the client, buffers on a device, loaded executables.
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "devices/pjrt/plugin.h"
#include "temper/tensor.h"

namespace temper::pjrt {

class Client;

class Buffer {
 public:
  Buffer(std::shared_ptr<Client> client, CBuffer* buffer) : client_(std::move(client)), buffer_(buffer) {}
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();
  CBuffer* get() const { return buffer_; }

 private:
  std::shared_ptr<Client> client_;
  CBuffer* buffer_;
};

struct CompiledMemory {  // bytes, as the plug-in lays tensors out
  int64_t code = 0, arguments = 0, outputs = 0, donated = 0, temporaries = 0;
};
CompiledMemory compiled_memory(const Plugin& plugin, CExecutable* executable);  // zeros if it does not tell

class LoadedExecutable {
 public:
  LoadedExecutable(std::shared_ptr<Client> client, CLoadedExecutable* executable);
  LoadedExecutable(const LoadedExecutable&) = delete;
  LoadedExecutable& operator=(const LoadedExecutable&) = delete;
  ~LoadedExecutable();

  size_t outputs() const { return outputs_; }
  CompiledMemory memory() const;
  std::string serialized() const;  // Error device if the plug-in cannot

  // One launch of all replicas, done on return; arguments and results by replica. `kept`: positions of
  // arguments that the program takes but the caller does not give.
  using Buffers = std::vector<std::shared_ptr<Buffer>>;
  std::vector<Buffers> execute(std::span<const std::vector<CBuffer*>> arguments,
                               std::span<const int64_t> kept) const;

 private:
  std::shared_ptr<Client> client_;
  CLoadedExecutable* loaded_;
  CExecutable* executable_ = nullptr;
  size_t outputs_ = 0;
};

class Client : public std::enable_shared_from_this<Client> {
 public:
  // On the device with this number of those that it can address; none: on all.
  static std::shared_ptr<Client> create(const Plugin& plugin, std::optional<size_t> ordinal);
  explicit Client(const Plugin& plugin) : plugin_(plugin) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  const Plugin& plugin() const { return plugin_; }
  std::string which() const;  // what opens the same again: "/a/b.so:2"
  std::string platform_name() const { return text(Function::client_platform_name); }
  std::string platform_version() const { return text(Function::client_platform_version); }
  std::string device_kind() const;
  size_t addressable() const { return addressable_; }
  int replicas() const { return static_cast<int>(devices_.size()); }
  std::string options(int replicas) const;  // of what it compiles, for the first of its devices
  int64_t memory_bytes() const;             // of one device; 0 if unknown

  // Row-major bytes, read before it returns.
  std::shared_ptr<Buffer> upload(const std::byte* bytes, const Type& type, int replica);
  void download(const Buffer& buffer, const Type& type, std::byte* bytes);
  std::unique_ptr<LoadedExecutable> compile(std::string_view stablehlo, int replicas);
  std::unique_ptr<LoadedExecutable> deserialize(std::string_view bytes);

 private:
  void connect(std::optional<size_t> ordinal);
  std::string text(Function function) const;

  const Plugin& plugin_;
  CClient* client_ = nullptr;
  std::vector<CDevice*> devices_;
  std::vector<int64_t> ids_;  // of devices_
  size_t addressable_ = 0;
  std::optional<size_t> ordinal_;
};

}  // namespace temper::pjrt
