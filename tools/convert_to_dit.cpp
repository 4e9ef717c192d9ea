#include "convert_to_dit.h"

#include "weightformer/core/check.h"

#include "checkpoint/checkpoint_file.h"
#include "checkpoint/optimizer_layout.h"
#include "core/text.h"
#include "runtime/log.h"
#include "serialization/flat_settings.h"
#include "serialization/tensor_file.h"

#include <map>

namespace wf {
namespace {

using pickle::Kind;
using pickle::Value;

const Value& need(const TensorFile& file, const Value* value, const char* what) {
  WF_CHECK(value, file.path(), ": has no ", what,
           ": --to dit converts checkpoints of wf_train with MODEL.TYPE wfm_dit");
  return *value;
}

// The state of each parameter under its place in `order` instead of that among `names`, texts.
Value* optimizer(TensorTree& tree, TensorFile& file, const Value& dict,
                 const std::vector<Value*>& names, const std::vector<std::string>& order) {
  auto& d = tree.document;
  auto* out = d.make(Kind::dict);
  auto* states = d.put(out, "state", d.make(Kind::dict));
  std::map<std::string, const Value*> by_name;
  const auto& saved = need(file, dict.find("state"), "optimizer state").items;
  for (size_t i = 0; i + 1 < saved.size(); i += 2) {
    const auto number = static_cast<size_t>(saved[i]->integer);
    if (number < names.size()) by_name[names[number]->text] = saved[i + 1];
  }
  for (size_t place = 0; place < order.size(); ++place) {
    const auto found = by_name.find(order[place]);
    if (found == by_name.end()) continue;  // frozen
    auto* slots = d.make(Kind::dict);
    for (const char* slot : {"step", "exp_avg", "exp_avg_sq"}) {
      const auto* value = found->second->find(slot);
      WF_CHECK(value && value->is(Kind::tensor), file.path(), ": the optimizer has no ", slot,
               " of ", order[place], ": DiT trains with AdamW");
      d.put(slots, slot, tree.of(file.tensor(*value)));
    }
    states->items.push_back(d.of(static_cast<int64_t>(place)));
    states->items.push_back(slots);
  }
  const auto& groups = need(file, dict.find("param_groups"), "param_groups").items;
  const auto* decay = groups.at(0)->find("weight_decay");
  for (const auto* group : groups) {
    const auto* other = group->find("weight_decay");
    WF_CHECK(decay && other && decay->real == other->real, file.path(),
             ": groups of several weight decays, and DiT's optimizer has one group: train with "
             "TRAIN.WEIGHT_DECAY 0");
  }
  auto* group = d.make(Kind::dict);
  for (size_t i = 0; i + 1 < groups[0]->items.size(); i += 2) {
    const auto& key = groups[0]->items[i]->text;
    if (key != "params" && key != "initial_lr") d.put(group, key, groups[0]->items[i + 1]);
  }
  auto* numbers = d.put(group, "params", d.make(Kind::list));
  for (size_t i = 0; i < order.size(); ++i) numbers->items.push_back(d.of(static_cast<int64_t>(i)));
  d.put(out, "param_groups", d.make(Kind::list))->items.push_back(group);
  return out;
}

}  // namespace

void convert_to_dit(const std::string& input, const std::string& output) {
  WF_CHECK(!ends_with(output, ".safetensors"), output, ": --to dit writes a .pt");
  TensorFile file(input);
  file.verify();
  const auto& root = file.root();
  const auto& own = need(file, root.find("weightformer"), "\"weightformer\"");
  const auto& model = need(file, root.find("model"), "\"model\"");
  WF_CHECK(model.find("pos_embed"), input, ": is no DiT: --to dit converts image generators");
  const auto* ema = root.find(ema_key(0));
  if (!ema) log::warning("{}: has no EMA weights, so that \"ema\" holds the trained ones", input);
  const auto& names = need(file, own.find("optimizer_names"), "optimizer_names").items;
  const auto order = state_dict_order(model);
  TensorTree tree;
  auto& d = tree.document;
  auto* out = d.make(Kind::dict);
  d.put(out, "model", tree.of(order, file.tensors(model)));
  d.put(out, "ema", tree.of(order, file.tensors(ema ? *ema : model)));
  const auto& saved = need(file, root.find("optimizer"), "\"optimizer\"");
  d.put(out, "opt", optimizer(tree, file, saved, names, order));
  auto* args = d.put(out, "args", d.make(Kind::dict));
  const auto* config = root.find("config");
  for (const auto& [key, value] : config ? flat_settings(*config) : Settings{}) {
    d.put(args, key, d.of(value));
  }
  d.put(out, "steps", d.of(counted_steps(file, saved)));
  tree.write(output, *out);
}

}  // namespace wf
