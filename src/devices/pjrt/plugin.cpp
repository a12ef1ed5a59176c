#include "devices/pjrt/plugin.h"

#include <sys/stat.h>

#include <filesystem>
#include <mutex>

#include "base/text.h"
#include "temper/error.h"

namespace temper::pjrt {

namespace {

DynamicLibrary open_library(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    throw Error(ErrorKind::device, concat("there is no PJRT plug-in '", path, "'")).in_file(path);
  try {
    return DynamicLibrary::open(path);
  } catch (const Error& problem) {
    throw Error(ErrorKind::device,
                concat("'", path, "' is not a PJRT plug-in that can be loaded: ", problem.what()))
        .in_file(path);
  }
}

}  // namespace

const Plugin& Plugin::open(const std::string& path) {
  struct Opened {
    std::mutex mutex;
    std::map<std::string, std::unique_ptr<const Plugin>> by_path;
  };
  static Opened& opened = *std::make_unique<Opened>().release();  // outlives what else is static
  const std::lock_guard lock(opened.mutex);
  std::unique_ptr<const Plugin>& plugin = opened.by_path[path];
  if (!plugin) plugin.reset(new Plugin(path));
  return *plugin;
}

Plugin::Plugin(std::string path) : path_(std::move(path)), library_(open_library(path_)) {
  void* entry = library_.find("GetPjrtApi");
  if (!entry)
    throw Error(ErrorKind::device,
                concat("'", path_, "' is not a PJRT plug-in: it is a library without GetPjrtApi"))
        .in_file(path_);
  api_ = reinterpret_cast<const Api* (*)()>(entry)();
  if (!api_) throw Error(ErrorKind::device, concat("'", path_, "': GetPjrtApi gives nothing")).in_file(path_);
  if (api_->pjrt_api_version.major_version != kMajor)
    throw Error(ErrorKind::device,
                concat("'", path_, "' speaks version ", version(), " of the PJRT API, this program ", kMajor,
                       ".x: use a plug-in of that version"))
        .in_file(path_);
  Sent<PluginInitializeArgs> initialize;
  call(Function::plugin_initialize, initialize, "start the plug-in");
}

std::string Plugin::version() const {
  return concat(api_->pjrt_api_version.major_version, ".", api_->pjrt_api_version.minor_version);
}

std::string Plugin::identity() const {
  struct stat status = {};
  if (stat(path_.c_str(), &status) != 0) return path_;
  return concat(path_, " ", status.st_dev, " ", status.st_ino, " ", status.st_size, " ",
                status.st_mtim.tv_sec, " ", status.st_mtim.tv_nsec, " ", version());
}

bool Plugin::has(Function function) const {
  const size_t end = offsetof(Api, functions) + (static_cast<size_t>(function) + 1) * sizeof(void*);
  return end <= api_->struct_size && api_->functions[static_cast<size_t>(function)];
}

CError* Plugin::invoke(Function function, void* args) const noexcept {
  using Call = CError* (*)(void*);
  return reinterpret_cast<Call>(api_->functions[static_cast<size_t>(function)])(args);
}

bool Plugin::try_call(Function function, void* args) const noexcept {
  if (!has(function)) return false;
  CError* const error = invoke(function, args);
  if (!error) return true;
  Sent<ErrorArgs> destroy;
  destroy->error = error;
  reinterpret_cast<void (*)(void*)>(api_->functions[static_cast<size_t>(Function::error_destroy)])(
      &destroy.args);
  return false;
}

void Plugin::call(Function function, void* args, const char* doing) const {
  if (!has(function))
    throw Error(ErrorKind::device,
                concat("'", path_, "' cannot ", doing, ": its PJRT API ", version(), " lacks the call"))
        .in_file(path_);
  CError* const error = invoke(function, args);
  if (!error) return;
  using Call = void (*)(void*);
  Sent<ErrorMessageArgs> message;
  message->error = error;
  reinterpret_cast<Call>(api_->functions[static_cast<size_t>(Function::error_message)])(&message.args);
  Sent<ErrorCodeArgs> code;
  code->error = error;
  invoke(Function::error_get_code, &code.args);
  std::string text(message->message, message->message_size);
  if (const size_t end = text.find('\n'); end != std::string::npos) text.resize(end);
  Sent<ErrorArgs> destroy;
  destroy->error = error;
  reinterpret_cast<Call>(api_->functions[static_cast<size_t>(Function::error_destroy)])(&destroy.args);
  const ErrorKind kind = code->code == kResourceExhausted ? ErrorKind::exhausted : ErrorKind::device;
  throw Error(kind, concat("'", path_, "' could not ", doing, ": ", text)).in_file(path_);
}

void Plugin::await(CEvent* event, const char* doing) const {
  if (!event) return;
  struct Destroy {
    const Plugin& plugin;
    CEvent* event;
    ~Destroy() {
      Sent<EventArgs> destroy;
      destroy->event = event;
      plugin.try_call(Function::event_destroy, destroy);
    }
  } const destroy{*this, event};
  Sent<EventArgs> wait;
  wait->event = event;
  call(Function::event_await, wait, doing);
}

}  // namespace temper::pjrt
