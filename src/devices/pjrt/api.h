#pragma once
// What of the PJRT C API (major 0, minor 81) is used here, declared anew: field names and order are the
// API's. A test compares sizes and offsets with the header that comes with a plug-in.
#include <cstddef>
#include <cstdint>

namespace temper::pjrt {

struct CError;
struct CEvent;
struct CClient;
struct CDevice;
struct CDescription;
struct CBuffer;
struct CExecutable;
struct CLoadedExecutable;
struct CSerialized;
struct CTopology;

inline constexpr int kMajor = 0;

struct Api {
  size_t struct_size;
  void* extension_start;
  struct Version {
    size_t struct_size;
    void* extension_start;
    int major_version, minor_version;
  } pjrt_api_version;
  void* functions[1];  // as many as struct_size says
};

// Places in Api::functions.
enum class Function : size_t {
  error_destroy = 0,
  error_message = 1,
  error_get_code = 2,
  plugin_initialize = 3,
  event_destroy = 5,
  event_await = 8,
  client_create = 10,
  client_destroy = 11,
  client_platform_name = 12,
  client_platform_version = 14,
  client_addressable_devices = 16,
  client_compile = 20,
  client_buffer_from_host_buffer = 22,
  description_id = 23,
  description_kind = 26,
  device_get_description = 29,
  device_memory_stats = 34,
  executable_destroy = 40,
  executable_num_outputs = 44,
  executable_serialize = 49,
  loaded_executable_destroy = 50,
  loaded_executable_get_executable = 51,
  loaded_executable_execute = 55,
  executable_deserialize_and_load = 56,
  buffer_destroy = 58,
  buffer_to_host_buffer = 70,
  topology_create = 82,
  topology_destroy = 83,
  topology_platform_version = 85,
  topology_get_device_descriptions = 86,
  compile = 89,
  executable_get_compiled_memory_stats = 96,
};

struct Head {  // of every struct
  size_t struct_size = 0;
  void* extension_start = nullptr;
};

// A plug-in refuses a struct that is smaller than its own: newer ones may have grown by less than this tail
// of zeros.
template <class Args>
struct Sent {
  Args args{};
  std::byte spare[128] = {};
  Sent() { args.head.struct_size = sizeof(Sent); }
  Args* operator->() { return &args; }
};

struct ErrorArgs {
  Head head;
  CError* error;
};
struct ErrorMessageArgs {
  Head head;
  const CError* error;
  const char* message;
  size_t message_size;
};
struct ErrorCodeArgs {
  Head head;
  const CError* error;
  int code;
};
inline constexpr int kResourceExhausted = 8;

struct PluginInitializeArgs {
  Head head;
};
struct EventArgs {
  Head head;
  CEvent* event;
};

struct NamedValue {  // in arrays: no spare tail
  enum Type : int { text = 0, integer = 1, integers = 2, real = 3, boolean = 4 };
  Head head;
  const char* name;
  size_t name_size;
  Type type;
  union {
    const char* text_value;
    int64_t integer_value;
    const int64_t* integers_value;
    float real_value;
    bool boolean_value;
  };
  size_t value_size;
};
struct ClientCreateArgs {
  Head head;
  const NamedValue* create_options;
  size_t num_options;
  void *kv_get_callback, *kv_get_user_arg, *kv_put_callback, *kv_put_user_arg;
  CClient* client;
  void *kv_try_get_callback, *kv_try_get_user_arg;
};
struct ClientArgs {
  Head head;
  CClient* client;
};
struct ClientTextArgs {  // platform name, platform version
  Head head;
  CClient* client;
  const char* text;
  size_t text_size;
};
struct ClientDevicesArgs {
  Head head;
  CClient* client;
  CDevice* const* addressable_devices;
  size_t num_addressable_devices;
};
struct CProgram {
  Head head;
  const char* code;
  size_t code_size;
  const char* format;
  size_t format_size;
};
struct ClientCompileArgs {
  Head head;
  CClient* client;
  const CProgram* program;
  const char* compile_options;
  size_t compile_options_size;
  CLoadedExecutable* executable;
};

struct TopologyCreateArgs {
  Head head;
  const char* topology_name;
  size_t topology_name_size;
  const NamedValue* create_options;
  size_t num_options;
  CTopology* topology;
};
struct TopologyArgs {
  Head head;
  CTopology* topology;
};
struct TopologyTextArgs {  // platform version
  Head head;
  CTopology* topology;
  const char* text;
  size_t text_size;
};
struct TopologyDescriptionsArgs {
  Head head;
  const CTopology* topology;
  CDescription* const* descriptions;
  size_t num_descriptions;
};
struct CompileArgs {
  Head head;
  const CTopology* topology;
  const CProgram* program;
  const char* compile_options;
  size_t compile_options_size;
  CClient* client;
  CExecutable* executable;
};

enum class BufferType : int {
  invalid,
  pred,
  s8,
  s16,
  s32,
  s64,
  u8,
  u16,
  u32,
  u64,
  f16,
  f32,
  f64,
  bf16,
  c64,
  c128,
  f8e5m2,
  f8e4m3fn,
  f8e4m3b11fnuz,
  f8e5m2fnuz,
  f8e4m3fnuz,
};
inline constexpr int kImmutableOnlyDuringCall = 0;

struct TiledLayout {  // without tiles: the order of the axes
  Head head;
  const int64_t* minor_to_major;
  size_t minor_to_major_size;
  const int64_t* tile_dims;
  const size_t* tile_dim_sizes;
  size_t num_tiles;
};
struct MemoryLayout {
  Head head;
  TiledLayout tiled;
  int type;  // 0: tiled
};
struct BufferFromHostArgs {
  Head head;
  CClient* client;
  const void* data;
  BufferType type;
  const int64_t* dims;
  size_t num_dims;
  const int64_t* byte_strides;
  size_t num_byte_strides;
  int host_buffer_semantics;
  CDevice* device;
  void* memory;
  MemoryLayout* device_layout;
  CEvent* done_with_host_buffer;
  CBuffer* buffer;
};
struct BufferToHostArgs {
  Head head;
  CBuffer* src;
  MemoryLayout* host_layout;
  void* dst;
  size_t dst_size;
  CEvent* event;
};
struct BufferArgs {
  Head head;
  CBuffer* buffer;
};

struct DeviceDescriptionArgs {
  Head head;
  CDevice* device;
  CDescription* device_description;
};
struct DescriptionIdArgs {
  Head head;
  CDescription* device_description;
  int id;
};
struct DescriptionKindArgs {
  Head head;
  CDescription* device_description;
  const char* device_kind;
  size_t device_kind_size;
};
struct DeviceMemoryArgs {
  Head head;
  CDevice* device;
  int64_t bytes_in_use;
  struct Known {
    int64_t value;
    bool is_set;
  } peak_bytes_in_use, num_allocs, largest_alloc_size, bytes_limit, bytes_reserved, peak_bytes_reserved,
      bytes_reservable_limit, largest_free_block_bytes, pool_bytes, peak_pool_bytes;
};

struct LoadedExecutableArgs {
  Head head;
  CLoadedExecutable* executable;
};
struct GetExecutableArgs {
  Head head;
  CLoadedExecutable* loaded_executable;
  CExecutable* executable;
};
struct ExecutableArgs {
  Head head;
  CExecutable* executable;
};
struct NumOutputsArgs {
  Head head;
  CExecutable* executable;
  size_t num_outputs;
};
struct CompiledMemoryArgs {
  Head head;
  CExecutable* executable;
  int64_t generated_code_size_in_bytes, argument_size_in_bytes, output_size_in_bytes, alias_size_in_bytes,
      temp_size_in_bytes, host_generated_code_size_in_bytes, host_argument_size_in_bytes,
      host_output_size_in_bytes, host_alias_size_in_bytes, host_temp_size_in_bytes, peak_memory_in_bytes;
};
struct SerializeArgs {
  Head head;
  const CExecutable* executable;
  const char* serialized_bytes;
  size_t serialized_bytes_size;
  CSerialized* serialized_executable;
  void (*serialized_executable_deleter)(CSerialized*);
};
struct DeserializeArgs {
  Head head;
  CClient* client;
  const char* serialized_executable;
  size_t serialized_executable_size;
  CLoadedExecutable* loaded_executable;
  const char* overridden_serialized_compile_options;
  size_t overridden_serialized_compile_options_size;
};
struct ExecuteOptions {
  Head head;
  void *send_callbacks, *recv_callbacks;
  size_t num_send_ops, num_recv_ops;
  int launch_id;
  const int64_t* non_donatable_input_indices;
  size_t num_non_donatable_input_indices;
  void* context;
  const char* call_location;
  size_t num_tasks;
  int* task_ids;
  int64_t* incarnation_ids;
};
struct ExecuteArgs {
  Head head;
  CLoadedExecutable* executable;
  ExecuteOptions* options;
  CBuffer* const* const* argument_lists;
  size_t num_devices, num_args;
  CBuffer** const* output_lists;
  CEvent** device_complete_events;
  CDevice* execute_device;
};

}  // namespace temper::pjrt
