#include "checkpoint/optimizer_layout.h"

#include "weightformer/core/check.h"
#include "weightformer/serialization/weights.h"

#include "runtime/log.h"

#include <ATen/ops/full_like.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <limits>

namespace wf {
namespace {

using pickle::Kind;
using pickle::Value;

struct Rates {
  double current, initial;
};

Value* write_group(pickle::Document& d, const ParamGroup& group, int64_t first, Rates rates,
                   const OptimizerOptions& options) {
  auto* out = d.make(Kind::dict);
  d.put(out, "lr", d.of(rates.current * group.lr_scale));
  if (options.kind == OptimizerKind::adamw) {
    auto* betas = d.put(out, "betas", d.make(Kind::tuple));
    betas->items = {d.of(options.beta1), d.of(options.beta2)};
    d.put(out, "eps", d.of(options.eps));
    d.put(out, "amsgrad", d.of(false));
    d.put(out, "capturable", d.of(false));
    d.put(out, "decoupled_weight_decay", d.of(true));
  } else {
    d.put(out, "momentum", d.of(options.momentum));
    d.put(out, "dampening", d.of(0.0));
    d.put(out, "nesterov", d.of(options.momentum > 0));
  }
  d.put(out, "weight_decay", d.of(group.weight_decay));
  d.put(out, "maximize", d.of(false));
  d.put(out, "foreach", d.none());
  d.put(out, "differentiable", d.of(false));
  d.put(out, "fused", d.none());
  d.put(out, "initial_lr", d.of(rates.initial * group.lr_scale));
  auto* numbers = d.put(out, "params", d.make(Kind::list));
  for (size_t i = 0; i < group.names.size(); ++i) {
    numbers->items.push_back(d.of(first + static_cast<int64_t>(i)));
  }
  return out;
}

// "exp_avg.head.weight" → "exp_avg", "head.weight"
std::pair<std::string, std::string> split(const std::string& key) {
  const auto dot = key.find('.');
  return {key.substr(0, dot), key.substr(dot + 1)};
}

// The state dicts of the parameters, in the order of their indices.
std::vector<const Value*> states_in_order(const std::string& path, const Value& dict,
                                          size_t expected) {
  const auto *state = dict.find("state"), *groups = dict.find("param_groups");
  WF_CHECK(state && state->is(Kind::dict) && groups && groups->is(Kind::list), path,
           ": optimizer: expected PyTorch's {state, param_groups}");
  std::map<int64_t, const Value*> by_number;
  for (size_t i = 0; i + 1 < state->items.size(); i += 2) {
    if (state->items[i]->is(Kind::integer))
      by_number[state->items[i]->integer] = state->items[i + 1];
  }
  std::vector<const Value*> out;
  for (const auto* group : groups->items) {
    const auto* numbers = group->find("params");
    WF_CHECK(numbers && numbers->is(Kind::list), path, ": optimizer: a group without params");
    for (const auto* number : numbers->items) {
      const auto found = by_number.find(number->integer);
      out.push_back(found == by_number.end() ? nullptr : found->second);
    }
  }
  WF_CHECK(out.size() == expected, path, ": optimizer: it has ", out.size(),
           " parameters and the weights imply ", expected,
           " (another model? --pretrained loads only the weights)");
  return out;
}

at::Tensor slot_of(TensorFile& file, const Value* state, const std::string& slot,
                   const std::string& name, const at::Tensor& own) {
  if (!state) return at::zeros_like(own);
  const auto* value = state->find(slot);
  WF_CHECK(value, file.path(), ": optimizer: no ", slot, " of ", name,
           " (made by another optimizer? --pretrained loads only the weights)");
  if (value->is(Kind::none)) return at::zeros_like(own);  // SGD before its first step
  if (value->is(Kind::tensor)) return file.tensor(*value);
  WF_CHECK(value->is(Kind::integer) || value->is(Kind::real), file.path(), ": optimizer: ", slot,
           " of ", name, " is neither a tensor nor a number");
  // PyTorch before 1.12 stored the step as a plain number.
  return at::full_like(
      own, value->is(Kind::integer) ? static_cast<double>(value->integer) : value->real);
}

}  // namespace

Value* write_optimizer(TensorTree& tree, const Optimizer& optimizer,
                       const LrScheduleOptions& schedule, int64_t step) {
  auto& d = tree.document;
  const Rates rates{learning_rate(schedule, step - 1), schedule.base_lr};
  std::map<std::string, std::vector<std::pair<std::string, at::Tensor>>> by_name;
  for (const auto& [key, tensor] : optimizer.state()) {
    const auto [slot, name] = split(key);
    by_name[name].emplace_back(slot, tensor);
  }
  auto* out = d.make(Kind::dict);
  auto* state = d.put(out, "state", d.make(Kind::dict));
  auto* groups = d.put(out, "param_groups", d.make(Kind::list));
  int64_t number = 0;
  for (const auto& group : optimizer.groups()) {
    groups->items.push_back(write_group(d, group, number, rates, optimizer.options()));
    for (const auto& name : group.names) {
      auto* slots = d.make(Kind::dict);
      for (const auto& [slot, tensor] : by_name[name]) d.put(slots, slot, tree.of(tensor));
      state->items.push_back(d.of(number++));
      state->items.push_back(slots);
    }
  }
  return out;
}

TensorMap read_optimizer(TensorFile& file, const Value& dict, const std::vector<std::string>& names,
                         const Optimizer& optimizer) {
  const auto states = states_in_order(file.path(), dict, names.size());
  const auto empty = [](const auto* state) { return !state; };
  if (!names.empty() && std::all_of(states.begin(), states.end(), empty)) {
    log::warning("{}: its optimizer has no state; the moments start from zero", file.path());
  }
  std::map<std::string, const Value*> by_name;
  for (size_t i = 0; i < names.size(); ++i) by_name[names[i]] = states[i];
  TensorMap out;
  for (const auto& [key, own] : optimizer.state()) {
    const auto [slot, name] = split(key);
    const auto found = by_name.find(name);
    WF_CHECK(
        found != by_name.end(), file.path(), ": optimizer: no state of ", name,
        " (frozen by TRAIN.FREEZE when saved, but not now? --pretrained loads only the weights)");
    out[key] = slot_of(file, found->second, slot, name, own);
  }
  return out;
}

int64_t counted_steps(TensorFile& file, const Value& dict) {
  const auto* state = dict.find("state");
  double most = 0;
  for (size_t i = 1; state && state->is(Kind::dict) && i < state->items.size(); i += 2) {
    const auto* step = state->items[i]->find("step");
    if (!step) continue;
    // A number in PyTorch before 1.12.
    const bool tensor = step->is(Kind::tensor);
    if (tensor) {
      const auto value = file.tensor(*step);
      if (value.numel() == 1) most = std::max(most, value.item<double>());
    } else if (step->is(Kind::integer)) {
      most = std::max(most, static_cast<double>(step->integer));
    }
  }
  return most < 1e18 ? static_cast<int64_t>(most) : std::numeric_limits<int64_t>::max();
}

std::vector<std::string> state_dict_order(const Value& weights) {
  std::vector<std::string> names;
  for (size_t i = 0; i + 1 < weights.items.size(); i += 2) {
    if (weights.items[i + 1]->is(Kind::tensor)) names.push_back(bare_name(weights.items[i]->text));
  }
  return names;
}

std::vector<std::string> published_order(const Value& weights) {
  std::vector<std::string> first, then;
  for (size_t i = 0; i + 1 < weights.items.size(); i += 2) {
    const auto &key = *weights.items[i], &value = *weights.items[i + 1];
    if (!value.is(Kind::tensor)) continue;
    const bool decays = uses_weight_decay(key.text, static_cast<int64_t>(value.sizes.size()));
    (decays ? first : then).push_back(bare_name(key.text));
  }
  first.insert(first.end(), then.begin(), then.end());
  return first;
}

}  // namespace wf
