# The backends of c10d. libtorch_cpu holds gloo's code but the wheel not its headers; NCCL's headers
# come with the nvidia-nccl wheel, with libnccl-dev or with a toolkit.

find_path(WF_GLOO_INCLUDE gloo/transport/device.h)
if(NOT WF_GLOO_INCLUDE)
  message(FATAL_ERROR "gloo's headers not found. Install libgloo-dev, or pass -DWF_TRAINER=OFF.")
endif()

set(wf_dist_backends src/dist/gloo_backend.cpp)
set(wf_nccl_source src/dist/nccl_absent.cpp)
if(WF_USE_CUDA)
  get_filename_component(wf_site_packages "${WF_TORCH_ROOT}" DIRECTORY)
  find_path(WF_NCCL_INCLUDE nccl.h
    HINTS "${wf_site_packages}/nvidia/nccl/include" ${CUDAToolkit_INCLUDE_DIRS})
  if(WF_NCCL_INCLUDE)
    set(wf_nccl_source src/dist/nccl_backend.cpp)
    message(STATUS "weightformer: NCCL headers in ${WF_NCCL_INCLUDE}")
  else()
    message(STATUS "weightformer: no nccl.h, so training uses one GPU")
  endif()
endif()
list(APPEND wf_dist_backends ${wf_nccl_source})

# By file, because no other file needs them.
set_source_files_properties(src/dist/gloo_backend.cpp PROPERTIES
  INCLUDE_DIRECTORIES "${WF_GLOO_INCLUDE}")
if(WF_NCCL_INCLUDE)
  set_source_files_properties(src/dist/nccl_backend.cpp PROPERTIES
    INCLUDE_DIRECTORIES "${WF_NCCL_INCLUDE};${CUDAToolkit_INCLUDE_DIRS}")
endif()
