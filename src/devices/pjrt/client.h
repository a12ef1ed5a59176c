#pragma once
// A plug-in's objects with owners: the client, buffers on a device, loaded executables.
#include <memory>
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

struct CompiledMemory {
  int64_t code = 0, temporaries = 0;  // bytes
};

class LoadedExecutable {
 public:
  LoadedExecutable(std::shared_ptr<Client> client, CLoadedExecutable* executable);
  LoadedExecutable(const LoadedExecutable&) = delete;
  LoadedExecutable& operator=(const LoadedExecutable&) = delete;
  ~LoadedExecutable();

  size_t outputs() const { return outputs_; }
  CompiledMemory memory() const;   // zeros if the plug-in does not tell
  std::string serialized() const;  // Error device if the plug-in cannot

  // One launch, done on return. `kept`: positions of arguments that the program takes but the caller does not
  // give.
  std::vector<std::shared_ptr<Buffer>> execute(std::span<CBuffer* const> arguments,
                                               std::span<const int64_t> kept) const;

 private:
  std::shared_ptr<Client> client_;
  CLoadedExecutable* loaded_;
  CExecutable* executable_ = nullptr;
  size_t outputs_ = 0;
};

class Client : public std::enable_shared_from_this<Client> {
 public:
  // `ordinal`: of the devices that it can address.
  static std::shared_ptr<Client> create(const Plugin& plugin, size_t ordinal);
  explicit Client(const Plugin& plugin) : plugin_(plugin) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  const Plugin& plugin() const { return plugin_; }
  std::string platform_name() const { return text(Function::client_platform_name); }
  std::string platform_version() const { return text(Function::client_platform_version); }
  std::string device_kind() const;
  size_t devices() const { return devices_; }
  const std::string& options() const { return options_; }  // of what it compiles
  int64_t memory_bytes() const;                            // 0 if unknown

  std::shared_ptr<Buffer> upload(const Tensor& host);  // the bytes are read before it returns
  void download(const Buffer& buffer, Tensor& host);   // row-major
  std::unique_ptr<LoadedExecutable> compile(std::string_view stablehlo);
  std::unique_ptr<LoadedExecutable> deserialize(std::string_view bytes);

 private:
  void connect(size_t ordinal);
  std::string text(Function function) const;

  const Plugin& plugin_;
  CClient* client_ = nullptr;
  CDevice* device_ = nullptr;
  size_t devices_ = 0;
  std::string options_;
};

}  // namespace temper::pjrt
