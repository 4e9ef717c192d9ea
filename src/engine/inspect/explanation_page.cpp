#include "engine/image_file.h"
#include "engine/inspect/color_map.h"
#include "engine/inspect/explanation.h"
#include "engine/report/page_style.h"
#include "engine/report/svg_chart.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>

namespace wf {
namespace {

constexpr char kExplainStyle[] = R"css(
.columns { display:grid; gap:14px; grid-template-columns:repeat(var(--n),minmax(0,1fr)); }
.stack { position:relative; width:100%; max-width:320px; }
.stack img { display:block; width:100%; image-rendering:pixelated; }
.stack .over { position:absolute; inset:0; height:100%; opacity:.72; }
.over[hidden] { display:none; }
.pick { font:12px system-ui,sans-serif; margin:0 4px 4px 0; border:1px solid var(--line); border-radius:5px;
  background:#fff; padding:2px 8px; cursor:pointer; }
.pick.on { background:var(--accent); color:#fff; }
.kernels { width:100%; max-width:320px; image-rendering:pixelated; border:1px solid var(--line); }
.name { overflow-wrap:anywhere; font-weight:600; }
)css";

// The buttons of an image choose the class whose evidence is over it; none shows only the image.
constexpr char kExplainScript[] = R"js(
document.querySelectorAll('.evidence').forEach(cell => {
  const buttons = [...cell.querySelectorAll('.pick')], maps = [...cell.querySelectorAll('.over')];
  const show = chosen => {
    maps.forEach((map, i) => { map.hidden = i !== chosen; });
    buttons.forEach((button, i) => button.classList.toggle('on', i === chosen));
  };
  buttons.forEach((button, i) => {
    button.onclick = () => show(button.classList.contains('on') ? -1 : i);
  });
  show(0);
});
)js";

using Explanations = std::vector<Explanation>;

std::string url_of(const at::Tensor& image) {
  return image_url(image, ImageFormat::png, "explanation");
}

std::string columns(const std::string& cells, size_t count) {
  return fmt::format("<div class=\"columns\" style=\"--n:{}\">\n{}</div>\n", count, cells);
}

double largest(const at::Tensor& values) { return values.abs().max().item<double>(); }

// --- evidence ---------------------------------------------------------------------------------

std::string class_table(const Explanation& image) {
  std::string out =
      "<table><tr><th>class</th><th class=\"n\">probability</th><th class=\"n\">evidence</th>"
      "<th class=\"n\">+ bias</th><th class=\"n\">= logit</th></tr>\n";
  for (const auto& each : image.classes) {
    out += fmt::format(
        "<tr><td>{}</td><td class=\"n\">{:.2f} %</td><td class=\"n\">{:.4f}</td>"
        "<td class=\"n\">{:.4f}</td><td class=\"n\">{:.4f}</td></tr>\n",
        escape_xml(each.name), 100 * each.probability, each.map.sum().item<double>(), each.bias,
        each.logit);
  }
  return out + "</table>\n";
}

std::string evidence_cell(const Explanation& image) {
  double scale = 0;
  for (const auto& each : image.classes) scale = std::max(scale, largest(each.map));
  if (scale == 0) scale = 1;
  std::string buttons, maps;
  for (const auto& each : image.classes) {
    buttons += fmt::format("<button class=\"pick\">{}</button>", escape_xml(each.name));
    maps += fmt::format("<img class=\"over\" alt=\"evidence for {}\" src=\"{}\">",
                        escape_xml(each.name), url_of(signed_colors(each.map / scale)));
  }
  return fmt::format(
      "<div class=\"box evidence\"><p class=\"name\">{}</p>{}<div class=\"stack\">"
      "<img alt=\"the input\" src=\"{}\">{}</div>\n<p class=\"note\">Red tokens speak for the "
      "class, "
      "blue ones against it: {} to {} for a token.</p>\n{}</div>\n",
      escape_xml(image.name), buttons, url_of(image.pixels), maps, short_number(-scale),
      short_number(scale), class_table(image));
}

// --- predicted weights ------------------------------------------------------------------------

// [C, 3, 3] as one image, a white line of one pixel between kernels.
at::Tensor kernel_sheet(const at::Tensor& kernels, double scale) {
  const int64_t count = kernels.size(0);
  const auto side = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(count))));
  const auto tile_of = [&](int64_t i) {
    const auto framed = torch::full({3, 4, 4}, 255, torch::kByte);
    framed.narrow(1, 0, 3).narrow(2, 0, 3).copy_(signed_colors(kernels[i] / scale));
    return framed;
  };
  std::vector<at::Tensor> tiles;
  for (int64_t i = 0; i < count; ++i) tiles.push_back(tile_of(i));
  while (tiles.size() % static_cast<size_t>(side) != 0)
    tiles.push_back(torch::full_like(tiles[0], 255));
  return tile(torch::stack(tiles), side);
}

std::string kernel_cell(const std::string& title, const at::Tensor& kernels, double scale) {
  if (!kernels.defined()) {
    return fmt::format(
        "<div class=\"box\"><p class=\"name\">{}</p><p class=\"note\">Nothing is "
        "predicted: the convolution is static.</p></div>\n",
        escape_xml(title));
  }
  return fmt::format(
      "<div class=\"box\"><p class=\"name\">{}</p><img class=\"kernels\" alt=\"kernels\" "
      "src=\"{}\"><p class=\"note\">norm {} on average</p></div>\n",
      escape_xml(title), url_of(kernel_sheet(kernels, scale)),
      short_number(kernels.norm(2, {1, 2}).mean().item<double>()));
}

std::string kernel_cells(const Explanations& images, size_t layer) {
  const auto& first = images[0].weights[layer];
  double scale = largest(first.static_kernels);
  for (const auto& image : images) {
    const auto& kernels = image.weights[layer].kernels;
    if (kernels.defined()) scale = std::max(scale, largest(kernels));
  }
  if (scale == 0) scale = 1;
  auto cells = kernel_cell("static kernels, added to all", first.static_kernels, scale);
  for (const auto& image : images) {
    cells += kernel_cell(image.name, image.weights[layer].kernels, scale);
  }
  return columns(cells, images.size() + 1);
}

// A curve for each image.
std::string chart(const std::string& title, const std::string& x_label, const Explanations& images,
                  size_t layer, at::Tensor PredictedWeights::*values) {
  Chart out;
  out.title = title;
  out.x_label = x_label;
  for (size_t i = 0; i < images.size(); ++i) {
    const auto sorted = std::get<0>((images[i].weights[layer].*values).sort(0, true)).contiguous();
    Curve curve;
    curve.name = images[i].name;
    curve.color = static_cast<int>(i);
    for (int64_t k = 0; k < sorted.size(0); ++k) {
      curve.x.push_back(static_cast<double>(k + 1));
      curve.y.push_back(sorted[k].item<double>());
    }
    out.curves.push_back(std::move(curve));
  }
  return "<div class=\"box\">\n" + svg_chart(out) + "</div>\n";
}

// The cosine of the angle between the predictions for two images.
std::string similarity(const at::Tensor& a, const at::Tensor& b) {
  if (!a.defined()) return "–";
  const double norms = (a.norm() * b.norm()).item<double>();
  return norms > 0 ? fmt::format("{:.4f}", (a * b).sum().item<double>() / norms) : "–";
}

std::string rank_table(const Explanations& images, size_t layer) {
  std::string out =
      "<div class=\"box\"><table><tr><th>image</th><th class=\"n\">effective rank</th>"
      "<th class=\"n\">of at most</th><th class=\"n\">predicted / static norm</th>"
      "<th class=\"n\">mean gain</th><th class=\"n\">kernels, cosine to the first</th></tr>\n";
  for (const auto& image : images) {
    const auto& w = image.weights[layer];
    const bool predicted = w.singular_values.defined();
    const double norm = predicted ? w.singular_values.norm().item<double>() : 0;
    out += fmt::format(
        "<tr><td>{}</td><td class=\"n\">{:.2f}</td><td class=\"n\">{:.0f}</td>"
        "<td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
        escape_xml(image.name), w.effective_rank, w.rank_bound,
        w.static_norm > 0 ? short_number(norm / w.static_norm) : "–",
        predicted ? short_number(w.column_gains.mean().item<double>(), 4) : "–",
        similarity(images[0].weights[layer].kernels, w.kernels));
  }
  return out + "</table></div>\n";
}

std::string layer_section(const Explanations& images, size_t layer) {
  auto out = fmt::format("<h2>Block {}: what it predicted</h2>\n", images[0].weights[layer].block) +
             kernel_cells(images, layer) + rank_table(images, layer);
  if (!images[0].weights[layer].singular_values.defined()) return out;
  return out + "<div class=\"grid\">\n" +
         chart("column gains, sorted", "column", images, layer, &PredictedWeights::column_gains) +
         chart("singular values of the predicted weight", "number", images, layer,
               &PredictedWeights::singular_values) +
         "</div>\n";
}

}  // namespace

std::string explanation_page(const std::string& model, const Explanations& images) {
  std::string cells, layers;
  for (const auto& image : images) cells += evidence_cell(image);
  for (size_t i = 0; i < images[0].weights.size(); ++i) layers += layer_section(images, i);
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>What {0} decided"
      "</title><style>{1}{2}</style></head><body><main>\n<h1>What {0} decided</h1>\n"
      "<p class=\"sub\">The evidence of the tokens, with the bias of the class, sums to its logit "
      "exactly. Kernels, gains and weights are what the dynamic blocks predicted from the "
      "image.</p>\n"
      "{3}{4}</main><script>{5}{6}</script></body></html>\n",
      escape_xml(model), kPageStyle, kExplainStyle, columns(cells, images.size()), layers,
      kPageScript, kExplainScript);
}

}  // namespace wf
