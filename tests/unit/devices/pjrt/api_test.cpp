// Our declarations against the header that comes with a plug-in: a C compiler checks sizes and offsets.
#include "devices/pjrt/api.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "devices/pjrt/compile_options.h"
#include "devices/pjrt/plugin_options.h"
#include "support/expect_error.h"
#include "support/pjrt.h"
#include "support/program.h"
#include "support/temporary_folder.h"

namespace temper::pjrt {
namespace {

class Checks {
 public:
  std::string text = "#include \"pjrt_c_api.h\"\n";

  void size(const char* theirs, size_t ours) { check(concat("sizeof(", theirs, ")"), ours); }
  void offset(const char* theirs, const char* field, size_t ours) {
    check(concat("offsetof(", theirs, ", ", field, ")"), ours);
  }
  void function(const char* theirs, Function ours) {
    offset("PJRT_Api", theirs, offsetof(Api, functions) + static_cast<size_t>(ours) * sizeof(void*));
  }

 private:
  void check(const std::string& expression, size_t value) {
    text += concat("_Static_assert(", expression, " == ", value, ", \"", expression, "\");\n");
  }
};

#define SAME_SIZE(ours, theirs) checks.size(#theirs, sizeof(ours))
#define SAME_PLACE(ours, theirs, field) checks.offset(#theirs, #field, offsetof(ours, field))

void add_structs(Checks& checks) {
  SAME_SIZE(Api::Version, PJRT_Api_Version);
  SAME_SIZE(ErrorArgs, PJRT_Error_Destroy_Args);
  SAME_SIZE(ErrorMessageArgs, PJRT_Error_Message_Args);
  SAME_SIZE(ErrorCodeArgs, PJRT_Error_GetCode_Args);
  SAME_SIZE(PluginInitializeArgs, PJRT_Plugin_Initialize_Args);
  SAME_SIZE(EventArgs, PJRT_Event_Await_Args);
  SAME_SIZE(EventArgs, PJRT_Event_Destroy_Args);
  SAME_SIZE(NamedValue, PJRT_NamedValue);
  SAME_PLACE(NamedValue, PJRT_NamedValue, type);
  checks.offset("PJRT_NamedValue", "int64_value", offsetof(NamedValue, integer_value));
  checks.offset("PJRT_NamedValue", "value_size", offsetof(NamedValue, value_size));
  SAME_SIZE(ClientCreateArgs, PJRT_Client_Create_Args);
  SAME_PLACE(ClientCreateArgs, PJRT_Client_Create_Args, client);
  SAME_SIZE(ClientArgs, PJRT_Client_Destroy_Args);
  SAME_SIZE(ClientTextArgs, PJRT_Client_PlatformName_Args);
  SAME_SIZE(ClientTextArgs, PJRT_Client_PlatformVersion_Args);
  SAME_SIZE(ClientDevicesArgs, PJRT_Client_AddressableDevices_Args);
  SAME_SIZE(CProgram, PJRT_Program);
  SAME_PLACE(CProgram, PJRT_Program, format_size);
  SAME_SIZE(ClientCompileArgs, PJRT_Client_Compile_Args);
  SAME_PLACE(ClientCompileArgs, PJRT_Client_Compile_Args, compile_options);
  SAME_SIZE(TopologyCreateArgs, PJRT_TopologyDescription_Create_Args);
  SAME_PLACE(TopologyCreateArgs, PJRT_TopologyDescription_Create_Args, topology);
  SAME_SIZE(TopologyArgs, PJRT_TopologyDescription_Destroy_Args);
  SAME_SIZE(TopologyTextArgs, PJRT_TopologyDescription_PlatformVersion_Args);
  SAME_SIZE(TopologyDescriptionsArgs, PJRT_TopologyDescription_GetDeviceDescriptions_Args);
  SAME_SIZE(CompileArgs, PJRT_Compile_Args);
  SAME_PLACE(CompileArgs, PJRT_Compile_Args, compile_options);
  SAME_SIZE(TiledLayout, PJRT_Buffer_MemoryLayout_Tiled);
  SAME_SIZE(MemoryLayout, PJRT_Buffer_MemoryLayout);
  SAME_PLACE(MemoryLayout, PJRT_Buffer_MemoryLayout, type);
  SAME_SIZE(BufferFromHostArgs, PJRT_Client_BufferFromHostBuffer_Args);
  SAME_PLACE(BufferFromHostArgs, PJRT_Client_BufferFromHostBuffer_Args, host_buffer_semantics);
  SAME_PLACE(BufferFromHostArgs, PJRT_Client_BufferFromHostBuffer_Args, device_layout);
  SAME_PLACE(BufferFromHostArgs, PJRT_Client_BufferFromHostBuffer_Args, buffer);
  SAME_SIZE(BufferToHostArgs, PJRT_Buffer_ToHostBuffer_Args);
  SAME_PLACE(BufferToHostArgs, PJRT_Buffer_ToHostBuffer_Args, dst);
  SAME_SIZE(BufferArgs, PJRT_Buffer_Destroy_Args);
  SAME_SIZE(DeviceDescriptionArgs, PJRT_Device_GetDescription_Args);
  SAME_SIZE(DescriptionIdArgs, PJRT_DeviceDescription_Id_Args);
  SAME_SIZE(DescriptionKindArgs, PJRT_DeviceDescription_Kind_Args);
  SAME_SIZE(DeviceMemoryArgs, PJRT_Device_MemoryStats_Args);
  SAME_PLACE(DeviceMemoryArgs, PJRT_Device_MemoryStats_Args, bytes_limit);
  SAME_SIZE(LoadedExecutableArgs, PJRT_LoadedExecutable_Destroy_Args);
  SAME_SIZE(GetExecutableArgs, PJRT_LoadedExecutable_GetExecutable_Args);
  SAME_SIZE(ExecutableArgs, PJRT_Executable_Destroy_Args);
  SAME_SIZE(NumOutputsArgs, PJRT_Executable_NumOutputs_Args);
  SAME_SIZE(CompiledMemoryArgs, PJRT_Executable_GetCompiledMemoryStats_Args);
  SAME_PLACE(CompiledMemoryArgs, PJRT_Executable_GetCompiledMemoryStats_Args, temp_size_in_bytes);
  SAME_SIZE(SerializeArgs, PJRT_Executable_Serialize_Args);
  SAME_SIZE(DeserializeArgs, PJRT_Executable_DeserializeAndLoad_Args);
  SAME_PLACE(DeserializeArgs, PJRT_Executable_DeserializeAndLoad_Args, loaded_executable);
  SAME_SIZE(ExecuteOptions, PJRT_ExecuteOptions);
  SAME_PLACE(ExecuteOptions, PJRT_ExecuteOptions, non_donatable_input_indices);
  SAME_SIZE(ExecuteArgs, PJRT_LoadedExecutable_Execute_Args);
  SAME_PLACE(ExecuteArgs, PJRT_LoadedExecutable_Execute_Args, output_lists);
  SAME_PLACE(ExecuteArgs, PJRT_LoadedExecutable_Execute_Args, device_complete_events);
}

void add_functions(Checks& checks) {
  checks.function("PJRT_Error_Destroy", Function::error_destroy);
  checks.function("PJRT_Error_Message", Function::error_message);
  checks.function("PJRT_Error_GetCode", Function::error_get_code);
  checks.function("PJRT_Plugin_Initialize", Function::plugin_initialize);
  checks.function("PJRT_Event_Destroy", Function::event_destroy);
  checks.function("PJRT_Event_Await", Function::event_await);
  checks.function("PJRT_Client_Create", Function::client_create);
  checks.function("PJRT_Client_Destroy", Function::client_destroy);
  checks.function("PJRT_Client_PlatformName", Function::client_platform_name);
  checks.function("PJRT_Client_PlatformVersion", Function::client_platform_version);
  checks.function("PJRT_Client_AddressableDevices", Function::client_addressable_devices);
  checks.function("PJRT_Client_Compile", Function::client_compile);
  checks.function("PJRT_Client_BufferFromHostBuffer", Function::client_buffer_from_host_buffer);
  checks.function("PJRT_DeviceDescription_Id", Function::description_id);
  checks.function("PJRT_DeviceDescription_Kind", Function::description_kind);
  checks.function("PJRT_Device_GetDescription", Function::device_get_description);
  checks.function("PJRT_Device_MemoryStats", Function::device_memory_stats);
  checks.function("PJRT_Executable_Destroy", Function::executable_destroy);
  checks.function("PJRT_Executable_NumOutputs", Function::executable_num_outputs);
  checks.function("PJRT_TopologyDescription_Create", Function::topology_create);
  checks.function("PJRT_TopologyDescription_Destroy", Function::topology_destroy);
  checks.function("PJRT_TopologyDescription_PlatformVersion", Function::topology_platform_version);
  checks.function("PJRT_TopologyDescription_GetDeviceDescriptions",
                  Function::topology_get_device_descriptions);
  checks.function("PJRT_Compile", Function::compile);
  checks.function("PJRT_Executable_Serialize", Function::executable_serialize);
  checks.function("PJRT_LoadedExecutable_Destroy", Function::loaded_executable_destroy);
  checks.function("PJRT_LoadedExecutable_GetExecutable", Function::loaded_executable_get_executable);
  checks.function("PJRT_LoadedExecutable_Execute", Function::loaded_executable_execute);
  checks.function("PJRT_Executable_DeserializeAndLoad", Function::executable_deserialize_and_load);
  checks.function("PJRT_Buffer_Destroy", Function::buffer_destroy);
  checks.function("PJRT_Buffer_ToHostBuffer", Function::buffer_to_host_buffer);
  checks.function("PJRT_Executable_GetCompiledMemoryStats", Function::executable_get_compiled_memory_stats);
}

TEST(PjrtApi, IsTheHeaders) {
  const auto include = pjrt_cpu_plugin().parent_path() / "include";
  if (!std::filesystem::exists(include / "pjrt_c_api.h"))
    GTEST_SKIP() << "skipped, because there is no pjrt_c_api.h: ./run install test";
  Checks checks;
  add_structs(checks);
  add_functions(checks);
  const TemporaryFolder folder;
  const std::string file = folder.write("check.c", checks.text),
                    errors = (folder.path() / "errors.txt").string();
  const Outcome outcome = run_shell(
      concat(TEMPER_C_COMPILER, " -std=c11 -fsyntax-only -I ", include.string(), " ", file), errors);
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
}

TEST(PjrtApi, TheCheckSeesWhatDiffers) {
  const auto include = pjrt_cpu_plugin().parent_path() / "include";
  if (!std::filesystem::exists(include / "pjrt_c_api.h"))
    GTEST_SKIP() << "skipped, because there is no pjrt_c_api.h: ./run install test";
  Checks checks;
  checks.size("PJRT_Error_Destroy_Args", sizeof(ErrorArgs) + 1);
  const TemporaryFolder folder;
  const std::string file = folder.write("check.c", checks.text),
                    errors = (folder.path() / "errors.txt").string();
  EXPECT_NE(
      run_shell(concat(TEMPER_C_COMPILER, " -std=c11 -fsyntax-only -I ", include.string(), " ", file), errors)
          .code,
      0);
}

// jaxlib reads these as one replica, one partition, assigned to that device.
TEST(PjrtApi, CompileOptionsAreTheProtos) {
  const std::string head = "\x1a\x1a\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x20\x01\x28\x01";
  const auto options = [](const std::vector<int64_t>& devices) { return compile_options(devices); };
  EXPECT_EQ(options({3}), head + "\x4a\x09\x08\x01\x10\x01\x1a\x03\x0a\x01\x03");
  EXPECT_EQ(options({0}), head + std::string("\x4a\x09\x08\x01\x10\x01\x1a\x03\x0a\x01\0", 11));
}

// The same for a replica on each of two devices.
TEST(PjrtApi, CompileOptionsOfReplicas) {
  const std::string head = "\x1a\x1b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x20\x02\x28\x01";
  EXPECT_EQ(compile_options(std::vector<int64_t>{2, 3}),
            head + "\x4a\x0a\x08\x02\x10\x01\x1a\x04\x0a\x02\x02\x03");
}

TEST(PjrtApi, OptionsOfAPluginAreTyped) {
  const PluginOptions options("cpu_device_count=8,allocator=bfc,preallocate=false,memory_fraction=0.5,");
  const auto values = options.values();
  ASSERT_EQ(values.size(), 4u);
  const auto name = [&](size_t i) { return std::string(values[i].name, values[i].name_size); };
  EXPECT_EQ(name(0), "cpu_device_count");
  EXPECT_EQ(values[0].type, NamedValue::integer);
  EXPECT_EQ(values[0].integer_value, 8);
  EXPECT_EQ(values[1].type, NamedValue::text);
  EXPECT_EQ(std::string(values[1].text_value, values[1].value_size), "bfc");
  EXPECT_EQ(values[2].type, NamedValue::boolean);
  EXPECT_FALSE(values[2].boolean_value);
  EXPECT_EQ(values[3].type, NamedValue::real);
  EXPECT_EQ(values[3].real_value, 0.5f);
  expect_error(ErrorKind::invalid, "expected NAME=VALUE, found \"cpu\"", [] { PluginOptions("cpu"); });
}

TEST(PjrtApi, SpareTailIsCounted) {
  Sent<NumOutputsArgs> sent;
  EXPECT_EQ(sent->head.struct_size, sizeof sent);
  EXPECT_GE(sizeof sent, sizeof(NumOutputsArgs) + 128);
}

}  // namespace
}  // namespace temper::pjrt
