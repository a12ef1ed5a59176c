# Libraries from the system; oneDNN from the system if it is new enough, else from the pinned wheels that ./run fetched.
list(APPEND CMAKE_PREFIX_PATH ${CMAKE_SOURCE_DIR}/third_party/onednn)
find_package(dnnl 3.2 REQUIRED)
find_package(OpenMP REQUIRED)
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
