# weightformer::trainer: everything but the models, and the programs on top of it.

find_package(OpenCV REQUIRED COMPONENTS core imgproc imgcodecs)
find_package(JPEG REQUIRED)
find_package(TIFF 4.5 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
include(Dist)
find_path(WF_PROTOZERO_INCLUDE protozero/pbf_writer.hpp)
if(NOT WF_PROTOZERO_INCLUDE)
  message(FATAL_ERROR "protozero/pbf_writer.hpp not found. Install libprotozero-dev, or pass -DWF_TRAINER=OFF.")
endif()
if(NOT WF_NLOHMANN_INCLUDE)
  message(FATAL_ERROR "nlohmann/json.hpp not found. Install nlohmann-json3-dev, or pass -DWF_TRAINER=OFF.")
endif()

# spdlog's headers meet only the fmt they were built with, so this one file never sees torch's.
add_library(weightformer_log OBJECT src/runtime/log.cpp)
target_include_directories(weightformer_log PRIVATE "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/include")
target_link_libraries(weightformer_log PUBLIC spdlog::spdlog)

# No torch in these: compiled without the precompiled header.
set(wf_trainer_plain_sources
  src/checkpoint/git_version.cpp
  src/checkpoint/yaml_tree.cpp
  src/config/command_line.cpp
  src/config/config.cpp
  src/config/describe.cpp
  src/config/key_search.cpp
  src/config/load.cpp
  src/config/values.cpp
  src/core/inflate.cpp
  src/engine/report/svg_chart.cpp
  src/engine/tensorboard/event.cpp
  src/engine/tensorboard/event_file.cpp
  src/runtime/available_memory.cpp
  src/runtime/folder_lock.cpp
  src/runtime/progress_bar.cpp
  src/data/sources/brace_pattern.cpp
  src/data/sources/cifar.cpp
  src/data/sources/class_map.cpp
  src/data/sources/class_names.cpp
  src/data/sources/describe_dataset.cpp
  src/data/image/affine.cpp
  src/data/augment/augment_ops.cpp
  src/data/augment/auto_augment.cpp
  src/data/image/bmp.cpp
  src/data/image/decode.cpp
  src/data/sources/image_files.cpp
  src/data/sources/image_folder.cpp
  src/data/sources/image_name.cpp
  src/data/image/image_ops.cpp
  src/data/image/jpeg.cpp
  src/data/sources/listing.cpp
  src/data/sources/listing_cache.cpp
  src/data/sources/open_dataset.cpp
  src/data/sources/pack.cpp
  src/data/sources/packed_file.cpp
  src/data/sources/real_labels.cpp
  src/data/image/image_decoder.cpp
  src/data/image/pnm.cpp
  src/data/image/read_file.cpp
  src/data/image/tiff.cpp
  src/data/image/tiff_file.cpp
  src/data/image/tiff_tags.cpp
  src/data/sources/read_ahead.cpp
  src/data/image/pixel_kernels.cpp
  src/data/image/pixel_kernels_avx2.cpp
  src/data/augment/random_erasing.cpp
  src/data/image/resize.cpp
  src/data/transforms.cpp
  src/data/sources/sample_names.cpp
  src/data/sources/selection.cpp
  src/data/sources/split_dataset.cpp
  src/data/sources/tar_archive.cpp
  src/data/sources/tar_files.cpp
  src/data/sources/tar_images.cpp
  src/data/sources/tar_index.cpp
  src/data/sources/tar_index_file.cpp
  src/data/sources/tar_labels.cpp
  src/data/sources/tar_samples.cpp
  src/data/sources/zip_folder.cpp
  src/dist/launch_env.cpp
  src/dist/straggler.cpp
  src/dist/traffic.cpp
  src/optim/lr_schedule.cpp)

# Checkpoints say what made them; as of the last time CMake ran.
execute_process(COMMAND git describe --always --dirty WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
  OUTPUT_VARIABLE wf_git_version OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT wf_git_version)
  set(wf_git_version unknown)
endif()
# The second line of --version. JPEG_VERSION is that of the interface, 62, for any libjpeg-turbo.
find_path(WF_JCONFIG jconfig.h)
file(STRINGS "${WF_JCONFIG}/jconfig.h" wf_jpeg REGEX "LIBJPEG_TURBO_VERSION[ \t]+[0-9.]+")
string(REGEX REPLACE ".*LIBJPEG_TURBO_VERSION[ \t]+" "" wf_jpeg "${wf_jpeg}")
wf_torch_version("${WF_TORCH_ROOT}" wf_libraries)
set(wf_libraries "LibTorch ${wf_libraries}")
if(WF_USE_CUDA)
  string(APPEND wf_libraries ", CUDA ${CMAKE_CUDA_COMPILER_VERSION}")
else()
  string(APPEND wf_libraries ", no CUDA")
endif()
string(APPEND wf_libraries ", OpenCV ${OpenCV_VERSION}, libjpeg-turbo ${wf_jpeg}, libtiff ${TIFF_VERSION_STRING}"
  ", zlib ${ZLIB_VERSION_STRING}, yaml-cpp ${yaml-cpp_VERSION}, spdlog ${spdlog_VERSION}"
  ", ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}, ${CMAKE_SYSTEM_PROCESSOR}")
set_source_files_properties(src/checkpoint/git_version.cpp PROPERTIES COMPILE_DEFINITIONS
  "WF_GIT_VERSION=\"${wf_git_version}\";WF_VERSION=\"${PROJECT_VERSION}\";WF_LIBRARIES=\"${wf_libraries}\"")

add_library(weightformer_trainer STATIC
  ${wf_trainer_plain_sources}
  src/checkpoint/background_saver.cpp
  src/checkpoint/best_checkpoint.cpp
  src/checkpoint/checkpoint.cpp
  src/checkpoint/checkpoint_file.cpp
  src/checkpoint/checkpoint_observer.cpp
  src/checkpoint/ema_snapshots.cpp
  src/checkpoint/optimizer_layout.cpp
  src/checkpoint/pretrained.cpp
  src/checkpoint/reconstruct_ema.cpp
  src/checkpoint/resume.cpp
  src/checkpoint/saved_checkpoints.cpp
  src/checkpoint/saved_config.cpp
  src/checkpoint/weights_metadata.cpp
  src/core/npz.cpp
  src/core/unpack_entry.cpp
  src/data/batch_memory.cpp
  src/data/device_copy.cpp
  src/data/device_batch.cpp
  src/data/image_reader.cpp
  src/data/latent_reader.cpp
  src/data/loader.cpp
  src/data/sources/latent_arrays.cpp
  src/data/sources/latent_files.cpp
  src/data/sources/latents.cpp
  src/data/sources/packed_latents.cpp
  src/data/augment/mixup.cpp
  src/data/augment/soft_targets.cpp
  src/diffusion/flow_process.cpp
  src/diffusion/flow_solvers.cpp
  src/diffusion/gaussian_process.cpp
  src/diffusion/gaussian_solvers.cpp
  src/diffusion/guidance.cpp
  src/diffusion/noise_schedule.cpp
  src/diffusion/process.cpp
  src/diffusion/solver.cpp
  src/diffusion/timestep_law.cpp
  src/dist/data_parallel.cpp
  src/dist/process_group.cpp
  src/dist/rendezvous.cpp
  src/dist/simulated_backend.cpp
  src/dist/step_exchange.cpp
  ${wf_dist_backends}
  src/engine/batch_size.cpp
  src/engine/build.cpp
  src/engine/build_data.cpp
  src/engine/classification/build.cpp
  src/engine/classification/classification_task.cpp
  src/engine/classification/evaluation_report.cpp
  src/engine/classification/evaluator.cpp
  src/engine/classification/loss.cpp
  src/engine/classification/predictor.cpp
  src/engine/diffusion/build.cpp
  src/engine/diffusion/diffusion_data.cpp
  src/engine/diffusion/diffusion_task.cpp
  src/engine/diffusion/encode_run.cpp
  src/engine/diffusion/latent_codec.cpp
  src/engine/diffusion/loss_by_time.cpp
  src/engine/diffusion/sample_grid.cpp
  src/engine/diffusion/sample_fidelity.cpp
  src/engine/diffusion/sample_run.cpp
  src/engine/diffusion/sampling.cpp
  src/engine/fidelity/classifier_network.cpp
  src/engine/fidelity/feature_set.cpp
  src/engine/fidelity/figures.cpp
  src/engine/fidelity/image_set.cpp
  src/engine/fidelity/inception_network.cpp
  src/engine/fidelity/load_network.cpp
  src/engine/fidelity/reference.cpp
  src/engine/doctor/data.cpp
  src/engine/doctor/machine.cpp
  src/engine/doctor/output.cpp
  src/engine/image_file.cpp
  src/engine/inspect/class_evidence.cpp
  src/engine/inspect/color_map.cpp
  src/engine/inspect/effective_field.cpp
  src/engine/inspect/explanation.cpp
  src/engine/inspect/explanation_page.cpp
  src/engine/inspect/predicted_weights.cpp
  src/engine/report/confusion.cpp
  src/engine/report/report_charts.cpp
  src/engine/report/report_observer.cpp
  src/engine/report/report_page.cpp
  src/engine/report/run_files.cpp
  src/engine/metadata.cpp
  src/engine/model_cost.cpp
  src/engine/throughput.cpp
  src/metrics/feature_statistics.cpp
  src/metrics/frechet_distance.cpp
  src/metrics/inception_score.cpp
  src/metrics/kernel_distance.cpp
  src/metrics/precision_recall.cpp
  src/metrics/statistics_file.cpp
  src/runtime/cpu_threads.cpp
  src/runtime/stop_signal.cpp
  src/engine/distributed.cpp
  src/engine/console_observer.cpp
  src/engine/dry_run.cpp
  src/engine/metrics.cpp
  src/engine/metrics_observer.cpp
  src/engine/run.cpp
  src/engine/shards.cpp
  src/engine/summary_observer.cpp
  src/engine/task.cpp
  src/engine/tasks.cpp
  src/engine/tensorboard/tensorboard_observer.cpp
  src/engine/weights_checksum.cpp
  src/engine/trainer.cpp
  src/engine/trainer_graph.cpp
  src/optim/ema.cpp
  src/optim/grad_scaler.cpp
  src/optim/optimizer.cpp
  src/optim/param_groups.cpp
  src/optim/posthoc_ema.cpp
  $<TARGET_OBJECTS:weightformer_log>)
add_library(weightformer::trainer ALIAS weightformer_trainer)
set_source_files_properties(${wf_trainer_plain_sources} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
target_include_directories(weightformer_trainer PRIVATE ${WF_INTERNAL_INCLUDES})
target_include_directories(weightformer_trainer SYSTEM PRIVATE "${WF_NLOHMANN_INCLUDE}"
  "${WF_PROTOZERO_INCLUDE}")
target_include_directories(weightformer_trainer INTERFACE "$<INSTALL_INTERFACE:include>")
target_link_libraries(weightformer_trainer
  PUBLIC weightformer_core Threads::Threads
  PRIVATE ${OpenCV_LIBS} JPEG::JPEG TIFF::TIFF ZLIB::ZLIB yaml-cpp spdlog::spdlog)
wf_target_options(weightformer_trainer PCH REUSE)
wf_compile_separately(
  src/data/image/jpeg.cpp # a class whose member is of the unnamed namespace: -Wsubobject-linkage
  src/data/image/pixel_kernels_avx2.cpp) # repeats the names of pixel_kernels.cpp
wf_compile_by_directory(weightformer_trainer)

# Models as ONNX files.
add_library(weightformer_export STATIC
  src/export/export_onnx.cpp
  src/export/onnx_graph.cpp
  src/export/onnx_layers.cpp)
target_include_directories(weightformer_export PRIVATE ${WF_INTERNAL_INCLUDES})
target_include_directories(weightformer_export SYSTEM PRIVATE
  "${WF_NLOHMANN_INCLUDE}" "${WF_PROTOZERO_INCLUDE}")
target_link_libraries(weightformer_export PUBLIC weightformer_trainer)
wf_target_options(weightformer_export PCH REUSE)
wf_compile_by_directory(weightformer_export)

set(WF_PROGRAMS wf_train wf_infer wf_convert wf_prepare wf_report wf_pack wf_sample wf_scale
  wf_fid wf_export wf_ema wf_encode wf_summary wf_erf wf_explain wf_doctor)
foreach(tool ${WF_PROGRAMS})
  add_executable(${tool} tools/${tool}.cpp)
  target_include_directories(${tool} PRIVATE ${WF_INTERNAL_INCLUDES})
  target_include_directories(${tool} SYSTEM PRIVATE "${WF_NLOHMANN_INCLUDE}")
  target_link_libraries(${tool} PRIVATE weightformer_trainer ${OpenCV_LIBS})
  wf_target_options(${tool} PCH REUSE)
endforeach()
target_sources(wf_convert PRIVATE tools/average_weights.cpp tools/convert_listing.cpp tools/convert_to_dit.cpp
  tools/convert_warning.cpp)
target_link_libraries(wf_export PRIVATE weightformer_export)
target_sources(wf_erf PRIVATE tools/canvas.cpp tools/erf_columns.cpp tools/erf_files.cpp
  tools/erf_images.cpp tools/erf_maps.cpp tools/erf_sheet.cpp)
target_sources(wf_fid PRIVATE tools/fid_compare.cpp tools/fid_explain.cpp tools/fid_inputs.cpp
  tools/fid_network.cpp)
target_sources(wf_infer PRIVATE tools/infer_images.cpp tools/infer_tensors.cpp)
target_sources(wf_pack PRIVATE tools/pack_contents.cpp)
target_sources(wf_prepare PRIVATE tools/fashion_mnist.cpp)
target_sources(wf_report PRIVATE tools/compare_checkpoints.cpp tools/contact_sheet.cpp tools/verify_run.cpp)
target_sources(wf_sample PRIVATE tools/sample_files.cpp tools/sample_grid_file.cpp tools/sample_model.cpp
  tools/sample_preset.cpp)
target_sources(wf_scale PRIVATE tools/scaling.cpp tools/scaling_table.cpp)
target_sources(wf_train PRIVATE tools/auto_batch.cpp tools/dry_run.cpp tools/list_models.cpp
  tools/train_evaluation.cpp tools/train_reports.cpp)
target_link_libraries(wf_prepare PRIVATE ZLIB::ZLIB)
foreach(tool ${WF_PROGRAMS})
  wf_compile_by_directory(${tool})
endforeach()
