# libtemper: one shared library of all layers, the install rules, and what find_package(temper) reads.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(layers GLOBAL PROPERTY TEMPER_LAYERS)
list(REMOVE_ITEM layers temper_cli)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/temper_library.cpp CONTENT "// A library needs a source; the layers bring the code.\n")
add_library(temper_library SHARED ${CMAKE_BINARY_DIR}/temper_library.cpp)
add_library(temper::temper ALIAS temper_library)
set_target_properties(temper_library PROPERTIES OUTPUT_NAME temper EXPORT_NAME temper VERSION ${PROJECT_VERSION}
                      SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
# Whole, for no code inside refers to the public functions; what is not TEMPER_API stays hidden.
foreach(layer ${layers})
  set_property(TARGET temper_library PROPERTY LINK_LIBRARY_OVERRIDE_${layer} WHOLE_ARCHIVE)
endforeach()
target_link_libraries(temper_library PRIVATE ${layers})
target_link_options(temper_library PRIVATE -Wl,--version-script=${CMAKE_SOURCE_DIR}/cmake/libtemper.map)
if(NOT TEMPER_SANITIZE)  # a sanitizer's own functions come with the program
  target_link_options(temper_library PRIVATE -Wl,--no-undefined)
endif()
target_include_directories(temper_library INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>
                                                    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(temper_library INTERFACE cxx_std_20)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/temper)
set_property(TARGET temper_library PROPERTY INSTALL_RPATH $ORIGIN)
install(TARGETS temper_library EXPORT temper-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/temper DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.h)
install(EXPORT temper-targets NAMESPACE temper:: DESTINATION ${package} FILE temper-config.cmake)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/temper-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/temper-config-version.cmake DESTINATION ${package})
if(TARGET temper)
  set_property(TARGET temper PROPERTY INSTALL_RPATH $ORIGIN/../${CMAKE_INSTALL_LIBDIR})
  install(TARGETS temper RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
# The oneDNN of the wheels goes along; the system's stays where it is.
if(dnnl_DIR MATCHES "^${CMAKE_SOURCE_DIR}/")
  install(IMPORTED_RUNTIME_ARTIFACTS DNNL::dnnl LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
