# Finds LibTorch and offers it as the target `weightformer_torch`.
#
# torch's own CMake package insists on a full CUDA toolkit whenever the library was built with
# CUDA, even for a program that never uses it. The pip wheel is such a build, so a machine without
# a toolkit could not compile against it. Here the headers and libraries are found directly:
# torch_cpu and c10 always, the CUDA ones when WF_USE_CUDA is set.
#
# Looked for, in this order: a target `torch` of the project that includes this one, Torch_DIR,
# CMAKE_PREFIX_PATH, .venv/ beside the sources, the torch of `python3`.

function(wf_find_torch)
  if(Torch_DIR)
    list(APPEND hints "${Torch_DIR}/../../..")
  endif()
  find_path(WF_TORCH_INCLUDE ATen/core/Tensor.h HINTS ${hints} NO_CMAKE_SYSTEM_PATH)
  if(NOT WF_TORCH_INCLUDE)
    file(GLOB hints "${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch")
    if(NOT hints)
      execute_process(
        COMMAND python3 -c "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
        OUTPUT_VARIABLE hints OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    endif()
    find_path(WF_TORCH_INCLUDE ATen/core/Tensor.h HINTS ${hints} PATH_SUFFIXES include)
  endif()
  if(NOT WF_TORCH_INCLUDE)
    message(FATAL_ERROR "LibTorch not found. Run tools/bootstrap.sh, or pass "
                        "-DCMAKE_PREFIX_PATH=/where/libtorch/is (the directory with include/ and lib/).")
  endif()
  get_filename_component(WF_TORCH_ROOT "${WF_TORCH_INCLUDE}" DIRECTORY)
  foreach(lib torch_cpu c10)
    find_library(WF_LIB_${lib} ${lib} HINTS "${WF_TORCH_ROOT}/lib" NO_DEFAULT_PATH REQUIRED)
  endforeach()
  foreach(lib torch_cuda c10_cuda)
    find_library(WF_LIB_${lib} ${lib} HINTS "${WF_TORCH_ROOT}/lib" NO_DEFAULT_PATH)
  endforeach()
  set(WF_TORCH_ROOT "${WF_TORCH_ROOT}" PARENT_SCOPE)
endfunction()

wf_find_torch()
message(STATUS "weightformer: LibTorch in ${WF_TORCH_ROOT}")

add_library(weightformer_torch INTERFACE)
target_compile_features(weightformer_torch INTERFACE cxx_std_17)
target_include_directories(weightformer_torch SYSTEM INTERFACE
  "${WF_TORCH_INCLUDE}" "${WF_TORCH_INCLUDE}/torch/csrc/api/include")
if(TARGET torch)
  target_link_libraries(weightformer_torch INTERFACE torch)
else()
  target_link_libraries(weightformer_torch INTERFACE "${WF_LIB_torch_cpu}" "${WF_LIB_c10}")
endif()

# at::parallel_for is a plain loop in a file compiled without OpenMP. LibTorch's own runtime is
# linked: a second one would have threads of its own, which torch.set_num_threads() does not reach.
find_package(OpenMP REQUIRED COMPONENTS CXX)
file(GLOB WF_OPENMP_RUNTIME "${WF_TORCH_ROOT}/lib/libgomp*.so*")
if(NOT WF_OPENMP_RUNTIME)
  set(WF_OPENMP_RUNTIME OpenMP::OpenMP_CXX)
endif()
