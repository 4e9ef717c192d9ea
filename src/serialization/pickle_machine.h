// The stack machine that pickles are programs for, without the instructions that call code.
#pragma once

#include "serialization/pickle.h"

#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace wf::pickle {

/// Runs the program of `data`. See read().
class Machine {
 public:
  Machine(std::string_view data, const std::string& where);
  Document run();

 private:
  // Each handles one family of opcodes; false: the opcode belongs to another.
  bool scalar(uint8_t op);
  bool text(uint8_t op);
  bool container(uint8_t op);
  bool stack(uint8_t op);
  bool memo(uint8_t op);
  bool object(uint8_t op);

  [[noreturn]] void fail(const std::string& what) const;
  void require(bool condition, const char* what) const {
    if (!condition) fail(what);
  }

  std::string_view take(uint64_t count);
  std::string_view line();
  uint64_t number(int bytes);  // little-endian
  Value* integer_of(std::string_view little_endian);
  Value* integer_of_line(std::string_view text);

  Value* make(Kind kind);
  Value* make(Kind kind, std::string_view text);
  /// For text that another value has already, which a few bytes of pickle can ask for again.
  Value* copy_text(Kind kind, std::string_view text);
  void push(Value* value) { stack_.push_back(value); }
  Value* pop();
  Value* top();
  std::vector<Value*> pop_to_mark();
  void push_all(Kind kind, std::vector<Value*> items);
  void spend(size_t count);

  // Objects: pickle_objects.cpp.
  Value* global(std::string_view module, std::string_view name);
  Value* call(const Value& callee, const Value& arguments, bool is_class);
  Value* opaque(const Value& callee, bool called);
  Value* persistent(const Value& id);
  Value* tensor(const Value& arguments);
  void check_tensor(const Value& tensor) const;
  void build(Value& object, const Value& state);
  void add_items(Value& target, const std::vector<Value*>& items);
  void copy_members(Value& target, const Value& source);
  void copy_pairs(Value& target, const Value& source);
  void check_depth(const Value& root) const;

  std::string_view data_;
  const std::string& where_;
  size_t at_ = 0, opcode_at_ = 0;
  size_t spent_ = 0;  // values created and copied
  std::vector<Value*> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, Value*> memo_;
  std::unordered_set<std::string> called_;  // unknown globals
  Document document_;
};

}  // namespace wf::pickle
