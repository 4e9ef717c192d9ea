#include "serialization/pickle_machine.h"

#include "weightformer/core/check.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace wf::pickle {
namespace {

constexpr size_t kMaxBytes = size_t{64} << 20;
// Bounds the memory that a small malicious file can request. A checkpoint of 5,000 tensors with its
// optimizer has 300,000 values.
constexpr size_t kMaxValues = 1'000'000;
constexpr size_t kTextPerValue = 64;  // bytes of copied text that count as one value

}  // namespace

Machine::Machine(std::string_view data, const std::string& where)
    : data_(data.substr(0, kMaxBytes)), where_(where) {}

void Machine::fail(const std::string& what) const {
  throw Error(str(where_, ": at byte ", opcode_at_, " of the pickle: ", what));
}

std::string_view Machine::take(uint64_t count) {
  require(count <= data_.size() - at_, "it ends in the middle of a value (truncated?)");
  const auto out = data_.substr(at_, count);
  at_ += count;
  return out;
}

std::string_view Machine::line() {
  const auto end = data_.find('\n', at_);
  require(end != std::string_view::npos, "a line without an end (truncated?)");
  const auto out = data_.substr(at_, end - at_);
  at_ = end + 1;
  return out;
}

uint64_t Machine::number(int bytes) {
  uint64_t out = 0;
  const auto raw = take(static_cast<uint64_t>(bytes));
  for (int i = 0; i < bytes; ++i) out |= uint64_t{static_cast<uint8_t>(raw[i])} << (8 * i);
  return out;
}

void Machine::spend(size_t count) {
  spent_ += count;
  require(spent_ <= kMaxValues, "more than a million values");
}

Value* Machine::make(Kind kind) {
  spend(1);
  return document_.make(kind);
}

Value* Machine::make(Kind kind, std::string_view text) {
  auto* value = make(kind);
  value->text = text;
  return value;
}

Value* Machine::copy_text(Kind kind, std::string_view text) {
  spend(text.size() / kTextPerValue);
  return make(kind, text);
}

Value* Machine::top() {
  require(stack_.size() > (marks_.empty() ? 0 : marks_.back()), "nothing on the stack");
  return stack_.back();
}

Value* Machine::pop() {
  auto* value = top();
  stack_.pop_back();
  return value;
}

std::vector<Value*> Machine::pop_to_mark() {
  require(!marks_.empty(), "no mark on the stack");
  const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<Value*> items(first, stack_.end());
  stack_.erase(first, stack_.end());
  marks_.pop_back();
  return items;
}

void Machine::push_all(Kind kind, std::vector<Value*> items) {
  auto* value = make(kind);
  value->items = std::move(items);
  push(value);
}

// Two's complement of any length, as Python's long.
Value* Machine::integer_of(std::string_view raw) {
  if (raw.size() > 8) return make(Kind::opaque, "an integer of more than 64 bits");
  uint64_t bits = 0;
  for (size_t i = 0; i < raw.size(); ++i) {
    bits |= uint64_t{static_cast<uint8_t>(raw[i])} << (8 * i);
  }
  const bool negative = !raw.empty() && (static_cast<uint8_t>(raw.back()) & 0x80);
  if (negative && raw.size() < 8) bits |= ~uint64_t{0} << (8 * raw.size());
  auto* value = make(Kind::integer);
  std::memcpy(&value->integer, &bits, sizeof(bits));
  return value;
}

Value* Machine::integer_of_line(std::string_view text) {
  const std::string digits(text);
  if (digits == "00" || digits == "01") {
    auto* value = make(Kind::boolean);
    value->integer = digits == "01";
    return value;
  }
  char* end = nullptr;
  errno = 0;
  auto* value = make(Kind::integer);
  value->integer = std::strtoll(digits.c_str(), &end, 10);
  if (*end == 'L') ++end;
  require(errno == 0 && end != digits.c_str() && *end == '\0', "not an integer");
  return value;
}

bool Machine::scalar(uint8_t op) {
  switch (op) {
    case 'N':
      push(make(Kind::none));
      return true;
    case 0x88:
    case 0x89:
      push(make(Kind::boolean)), top()->integer = op == 0x88;
      return true;
    case 'K':
      push(make(Kind::integer)), top()->integer = static_cast<int64_t>(number(1));
      return true;
    case 'M':
      push(make(Kind::integer)), top()->integer = static_cast<int64_t>(number(2));
      return true;
    case 'J':
      push(integer_of(take(4)));
      return true;
    case 0x8a:
      push(integer_of(take(number(1))));
      return true;
    case 0x8b:
      push(integer_of(take(number(4))));
      return true;
    case 'I':
    case 'L':
      push(integer_of_line(line()));
      return true;
    case 'F': {
      const std::string digits(line());
      char* end = nullptr;
      push(make(Kind::real));
      top()->real = std::strtod(digits.c_str(), &end);
      require(end != digits.c_str() && *end == '\0', "not a number");
      return true;
    }
    case 'G': {  // big-endian
      uint64_t bits = 0;
      for (const char byte : take(8)) bits = bits << 8 | static_cast<uint8_t>(byte);
      push(make(Kind::real));
      std::memcpy(&top()->real, &bits, sizeof(bits));
      return true;
    }
    default:
      return false;
  }
}

// UTF-8, in which Python's pickle also writes half a surrogate pair.
static bool is_unicode(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  for (size_t i = 0; i < text.size();) {
    const int lead = byte(i);
    if (lead >= 0x80 && (lead < 0xC2 || lead > 0xF4)) return false;
    const size_t more = lead < 0x80 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    if (more >= text.size() - i) return false;
    for (size_t k = 1; k <= more; ++k) {
      if ((byte(i + k) & 0xC0) != 0x80) return false;
    }
    // More bytes than the character needs, or beyond U+10FFFF.
    if (lead == 0xE0 && byte(i + 1) < 0xA0) return false;
    if (lead == 0xF0 && byte(i + 1) < 0x90) return false;
    if (lead == 0xF4 && byte(i + 1) >= 0x90) return false;
    i += more + 1;
  }
  return true;
}

bool Machine::text(uint8_t op) {
  const auto counted = [&](Kind kind, int width) { push(make(kind, take(number(width)))); };
  const auto unicode = [&](int width) {
    counted(Kind::text, width);
    require(is_unicode(top()->text), "a text that is not UTF-8");
  };
  switch (op) {
    case 0x8c:
      unicode(1);
      return true;
    case 'X':
      unicode(4);
      return true;
    case 0x8d:
      unicode(8);
      return true;
    case 'U':
      counted(Kind::text, 1);
      return true;  // Python 2's str
    case 'T':
      counted(Kind::text, 4);
      return true;
    case 'C':
      counted(Kind::bytes, 1);
      return true;
    case 'B':
      counted(Kind::bytes, 4);
      return true;
    case 0x8e:
    case 0x96:
      counted(Kind::bytes, 8);
      return true;
    case 'V':
      push(make(Kind::text, line()));
      return true;
    case 'S': {
      const auto quoted = line();
      require(quoted.size() >= 2 && (quoted.front() == '\'' || quoted.front() == '"') &&
                  quoted.back() == quoted.front(),
              "a string without quotes");
      push(make(Kind::text, quoted.substr(1, quoted.size() - 2)));
      return true;
    }
    default:
      return false;
  }
}

bool Machine::container(uint8_t op) {
  switch (op) {
    case ']':
      push(make(Kind::list));
      return true;
    case ')':
      push(make(Kind::tuple));
      return true;
    case '}':
      push(make(Kind::dict));
      return true;
    case 0x8f:
      push(make(Kind::set));
      return true;
    case 'l':
      push_all(Kind::list, pop_to_mark());
      return true;
    case 't':
      push_all(Kind::tuple, pop_to_mark());
      return true;
    case 0x91:
      push_all(Kind::set, pop_to_mark());
      return true;
    case 'd': {
      const auto items = pop_to_mark();
      push(make(Kind::dict));
      add_items(*top(), items);
      return true;
    }
    case 0x85:
    case 0x86:
    case 0x87: {
      std::vector<Value*> items(static_cast<size_t>(op) - 0x84);
      for (auto item = items.rbegin(); item != items.rend(); ++item) *item = pop();
      push_all(Kind::tuple, std::move(items));
      return true;
    }
    case 'a':
    case 's': {
      std::vector<Value*> items{pop()};
      if (op == 's') items.insert(items.begin(), pop());
      add_items(*top(), items);
      return true;
    }
    case 'e':
    case 'u':
    case 0x90: {
      const auto items = pop_to_mark();
      add_items(*top(), items);
      return true;
    }
    default:
      return false;
  }
}

bool Machine::stack(uint8_t op) {
  switch (op) {
    case '(':
      marks_.push_back(stack_.size());
      return true;
    case '0':
      // Python lets it remove a mark too.
      if (!marks_.empty() && marks_.back() == stack_.size()) {
        marks_.pop_back();
      } else {
        pop();
      }
      return true;
    case '1':
      pop_to_mark();
      return true;
    case '2':
      push(top());
      return true;
    case 0x80:
      require(number(1) <= 5, "an unknown protocol");
      return true;
    case 0x95:
      number(8);
      return true;  // the length of a frame; nothing depends on it
    default:
      return false;
  }
}

bool Machine::memo(uint8_t op) {
  const auto slot_of_line = [&] {
    const auto* slot = integer_of_line(line());
    require(slot->integer >= 0, "a memo slot below 0");
    return static_cast<uint64_t>(slot->integer);
  };
  const auto keep = [&](uint64_t slot) { memo_[slot] = top(); };  // at most one an opcode
  const auto recall = [&](uint64_t slot) {
    const auto found = memo_.find(slot);
    require(found != memo_.end(), "it refers to an unknown memo slot");
    push(found->second);
  };
  switch (op) {
    case 'p':
      keep(slot_of_line());
      return true;
    case 'q':
      keep(number(1));
      return true;
    case 'r':
      keep(number(4));
      return true;
    case 0x94:
      keep(memo_.size());
      return true;
    case 'g':
      recall(slot_of_line());
      return true;
    case 'h':
      recall(number(1));
      return true;
    case 'j':
      recall(number(4));
      return true;
    default:
      return false;
  }
}

bool Machine::object(uint8_t op) {
  switch (op) {
    case 'c': {
      const auto module = line(), name = line();
      push(global(module, name));
      return true;
    }
    case 0x93: {
      const auto *name = pop(), *module = pop();
      require(name->is(Kind::text) && module->is(Kind::text), "a global without a name");
      push(global(module->text, name->text));
      return true;
    }
    case 'R':
    case 0x81: {
      const auto *arguments = pop(), *callee = pop();
      push(call(*callee, *arguments, /*is_class=*/op == 0x81));
      return true;
    }
    case 0x92: {
      pop();  // arguments by name
      const auto *arguments = pop(), *callee = pop();
      push(call(*callee, *arguments, /*is_class=*/true));
      return true;
    }
    case 'i':
    case 'o': {
      auto* arguments = make(Kind::tuple);
      Value* callee = nullptr;
      if (op == 'i') {
        const auto module = line(), name = line();
        callee = global(module, name);
      }
      arguments->items = pop_to_mark();
      if (op == 'o') {
        require(!arguments->items.empty(), "an object without a class");
        callee = arguments->items.front();
        arguments->items.erase(arguments->items.begin());
      }
      push(call(*callee, *arguments, /*is_class=*/false));  // Python calls it whatever it is
      return true;
    }
    case 'b': {
      const auto* state = pop();
      build(*top(), *state);
      return true;
    }
    case 'Q':
      push(persistent(*pop()));
      return true;
    default:
      return false;
  }
}

Document Machine::run() {
  while (true) {
    opcode_at_ = at_;
    const auto op = static_cast<uint8_t>(number(1));
    if (op == '.') break;
    if (scalar(op) || text(op) || container(op) || stack(op) || memo(op) || object(op)) continue;
    fail(str("opcode ", static_cast<int>(op), " is not used by checkpoints"));
  }
  const auto* root = pop();
  require(marks_.empty() && stack_.empty(), "it ends with values left over");
  check_depth(*root);
  document_.root = root;
  document_.size = at_;
  return std::move(document_);
}

Document read(std::string_view data, const std::string& where) {
  return Machine(data, where).run();
}

}  // namespace wf::pickle
