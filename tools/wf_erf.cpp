// Draws effective receptive fields. See --help and docs/inside_the_model.md.

#include "weightformer/core/check.h"

#include "core/atomic_file.h"
#include "erf.h"
#include "tool.h"

#include <fmt/format.h>

#include <filesystem>
#include <iostream>

namespace {

using namespace wf;

void print_areas(const FieldSheet& sheet) {
  const auto line = [](const std::string& name, const char* when, const FieldMap& map) {
    auto text = fmt::format("{:<22} {:<7}", name, when);
    for (const double part : kFieldParts) text += fmt::format(" {:>8}", show_area(map, part));
    std::cout << text << "\n";
  };
  auto head = fmt::format("{:<22} {:<7}", "area that holds", "");
  for (const double part : kFieldParts) head += fmt::format(" {:>6.0f} %", 100 * part);
  std::cout << head << "\n";
  for (const auto& column : sheet.columns) {
    line(column.title, "before", column.before);
    if (column.after) line(column.title, "after", *column.after);
  }
}

int draw(const ErfArguments& a) {
  WF_CHECK(a.images.empty() || a.input.empty(), "--images and --input: give one of them");
  const auto kind = std::filesystem::path(a.output).extension();
  WF_CHECK(a.output.empty() || kind == ".svg" || kind == ".png", a.output,
           ": the name of a drawing must end in .svg or .png");
  const auto sheet = compute_fields(a);
  print_areas(sheet);
  if (!a.output.empty()) draw_sheet(sheet, a.output);
  if (!a.json.empty()) write_text_file(a.json, fields_as_json(sheet));
  if (!a.maps.empty()) write_maps(sheet, a.maps);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  wf::prepare_process(argv);
  CLI::App app(
      "Draws the effective receptive field of classifiers: how much the tokens in the center "
      "depend "
      "on each pixel, before and after training. Without weights the network of --cfg and --opts "
      "is drawn as it is before training.");
  return wf::run_tool(&app, [&] {
    ErfArguments a;
    app.add_option("weights,--weights,--resume", a.weights,
                   "trained weights, one column each: .pth, .safetensors or a checkpoint");
    app.add_flag("--figure3", a.figure3,
                 "one column for each predictor, as in Figure 3 of the paper; each file of weights "
                 "goes to the column of its predictors");
    app.add_option(
        "--images", a.images,
        "images, directories or archives of them; without them normal noise is the input");
    app.add_option("--input", a.input, "safetensors with x [B, 3, H, W], normalized images");
    app.add_option("--count", a.count, "images to average over, at most")
        ->check(CLI::PositiveNumber);
    app.add_option("--batch", a.batch, "images of a forward pass")->check(CLI::PositiveNumber);
    app.add_option("--output", a.output, "the drawing: NAME.svg or NAME.png");
    app.add_option("--json", a.json, "a file for the areas as JSON");
    app.add_option("--maps", a.maps, "a safetensors file for the maps, [H, W] each");
    app.add_option("--cfg", a.cfg, "configuration of the model, YAML");
    app.add_option("--opts", a.opts, "KEY VALUE …: override keys of the configuration");
    app.add_option("--seed", a.seed, "of the weights before training and of the noise")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--device", a.device, "auto, cpu or cuda");
    app.add_flag("--ema", a.ema, "the EMA weights of a checkpoint");
    app.parse(argc, argv);
    return draw(a);
  });
}
