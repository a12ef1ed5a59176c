#include "formats/torch/pickle.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <unordered_map>

#include "base/text.h"
#include "temper/error.h"

namespace temper::torch {

// What a state dict refers to: constructors that are understood here, and types of storages.
static constexpr std::array<std::string_view, 9> kCalls{"collections.OrderedDict",
                                                        "torch._utils._rebuild_tensor_v2",
                                                        "torch._utils._rebuild_tensor",
                                                        "torch._utils._rebuild_parameter",
                                                        "torch.Size",
                                                        "torch.device",
                                                        "builtins.set",
                                                        "__builtin__.set",
                                                        "_codecs.encode"};
static constexpr std::string_view kStorageEnd = "Storage";

static bool is_storage(std::string_view name) {
  return (starts_with(name, "torch.") && ends_with(name, kStorageEnd) &&
          name.find('.', 6) == std::string_view::npos) ||
         name == "torch.storage.UntypedStorage" || name == "torch.storage.TypedStorage";
}
static bool is_dtype(std::string_view name) {
  static constexpr std::array<std::string_view, 12> kNames{
      "torch.float32", "torch.float64", "torch.float16", "torch.bfloat16", "torch.int8",  "torch.uint8",
      "torch.int16",   "torch.int32",   "torch.int64",   "torch.bool",     "torch.float", "torch.long"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

class Machine {
 public:
  Machine(Pickle& pickle, std::string_view bytes, size_t& at, const std::string& what)
      : pickle_(pickle), bytes_(bytes), at_(at), what_(what) {}

  Ref run() {
    for (;;) {
      start_ = at_;
      const auto opcode = static_cast<uint8_t>(take(1)[0]);
      if (opcode == '.') return pop();
      step(opcode);
    }
  }

 private:
  template <class... Parts>
  [[noreturn]] void fail(ErrorKind kind, const Parts&... parts) const {
    throw Error(kind, concat(what_, ", byte ", start_, ": ", concat(parts...)));
  }

  // --- bytes ---
  std::string_view take(size_t count) {
    if (count > bytes_.size() - at_) fail(ErrorKind::corrupt, "the pickle ends early");
    const std::string_view taken = bytes_.substr(at_, count);
    at_ += count;
    return taken;
  }
  template <class T>
  T number() {
    T value;
    const std::string_view taken = take(sizeof value);
    std::memcpy(&value, taken.data(), taken.size());
    return value;
  }
  std::string_view line() {
    const size_t end = bytes_.find('\n', at_);
    if (end == std::string_view::npos) fail(ErrorKind::corrupt, "a line without an end");
    const std::string_view text = bytes_.substr(at_, end - at_);
    at_ = end + 1;
    return text;
  }

  // --- stack ---
  Ref make(Kind kind) {
    pickle_.objects_.emplace_back();
    pickle_.objects_.back().kind = kind;
    return &pickle_.objects_.back();
  }
  Ref push(Ref object) {
    stack_.push_back(object);
    return object;
  }
  Ref push_text(std::string_view text) {
    const Ref object = push(make(Kind::text));
    object->text = text;
    return object;
  }
  Ref push_integer(int64_t value, Kind kind = Kind::integer) {
    const Ref object = push(make(kind));
    object->integer = value;
    return object;
  }
  Ref pop() {
    if (stack_.empty() || (!marks_.empty() && stack_.size() <= marks_.back()))
      fail(ErrorKind::corrupt, "the stack is empty");
    const Ref top = stack_.back();
    stack_.pop_back();
    return top;
  }
  Ref top(Kind kind, std::string_view name) {
    const Ref object = pop();
    push(object);
    if (object->kind != kind) fail(ErrorKind::corrupt, "expected ", name);
    return object;
  }
  std::vector<Ref> pop_to_mark() {
    if (marks_.empty()) fail(ErrorKind::corrupt, "there is no mark");
    const auto from = static_cast<std::ptrdiff_t>(marks_.back());
    marks_.pop_back();
    std::vector<Ref> items(stack_.begin() + from, stack_.end());
    stack_.resize(static_cast<size_t>(from));
    return items;
  }
  void push_tuple(size_t count) {
    std::vector<Ref> items(count);
    for (size_t i = count; i-- > 0;) items[i] = pop();
    push(make(Kind::list))->items = std::move(items);
  }
  void remember(uint64_t index) { memo_[index] = push(pop()); }
  void recall(uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) fail(ErrorKind::corrupt, "memo ", index, " is empty");
    push(found->second);
  }

  // --- opcodes ---
  void step(uint8_t opcode) {
    if (!step_value(opcode) && !step_container(opcode) && !step_memo(opcode) && !step_object(opcode))
      fail(ErrorKind::unsupported, "opcode ", static_cast<int>(opcode), " stands in no state dict");
  }

  bool step_value(uint8_t opcode) {
    switch (opcode) {
      case 0x80:
        take(1);
        return true;  // PROTO
      case 0x95:
        number<uint64_t>();
        return true;  // FRAME
      case 'N':
        push(make(Kind::none));
        return true;  // NONE
      case 0x88:
        push_integer(1, Kind::boolean);
        return true;  // NEWTRUE
      case 0x89:
        push_integer(0, Kind::boolean);
        return true;  // NEWFALSE
      case 'J':
        push_integer(number<int32_t>());
        return true;  // BININT
      case 'K':
        push_integer(number<uint8_t>());
        return true;  // BININT1
      case 'M':
        push_integer(number<uint16_t>());
        return true;  // BININT2
      case 0x8a:
        push_long(number<uint8_t>());
        return true;  // LONG1
      case 'G':
        push_real();
        return true;  // BINFLOAT
      case 'X':
        push_text(take(number<uint32_t>()));
        return true;  // BINUNICODE
      case 0x8c:
        push_text(take(number<uint8_t>()));
        return true;  // SHORT_BINUNICODE
      case 0x8d:
        push_text(take(number<uint64_t>()));
        return true;  // BINUNICODE8
      case 'U':
        push_text(take(number<uint8_t>()));
        return true;  // SHORT_BINSTRING
      case 'T':
        push_text(take(number<uint32_t>()));
        return true;  // BINSTRING
      case 'C':
        push_text(take(number<uint8_t>()));
        return true;  // SHORT_BINBYTES
      case 'B':
        push_text(take(number<uint32_t>()));
        return true;  // BINBYTES
      default:
        return false;
    }
  }

  // Little-endian two's complement; longer ones (the magic number of a legacy file) keep their bytes as text.
  void push_long(size_t size) {
    const std::string_view digits = take(size);
    if (size > 8) {
      push_text(digits);
      return;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i)
      value |= static_cast<uint64_t>(static_cast<uint8_t>(digits[i])) << (8 * i);
    if (size > 0 && size < 8 && (digits[size - 1] & 0x80) != 0) value |= ~uint64_t{0} << (8 * size);
    push_integer(static_cast<int64_t>(value));
  }

  void push_real() {
    uint64_t bits = 0;
    for (const char byte : take(8)) bits = bits << 8 | static_cast<uint8_t>(byte);
    push(make(Kind::real))->real = std::bit_cast<double>(bits);
  }

  bool step_container(uint8_t opcode) {
    switch (opcode) {
      case '}':
        push(make(Kind::dict));
        return true;  // EMPTY_DICT
      case ']':       // EMPTY_LIST
      case ')':       // EMPTY_TUPLE
      case 0x8f:
        push(make(Kind::list));
        return true;  // EMPTY_SET
      case '(':
        marks_.push_back(stack_.size());
        return true;  // MARK
      case 't':       // TUPLE
      case 'l':
        make_list();
        return true;  // LIST
      case 0x85:
        push_tuple(1);
        return true;  // TUPLE1
      case 0x86:
        push_tuple(2);
        return true;  // TUPLE2
      case 0x87:
        push_tuple(3);
        return true;  // TUPLE3
      case 'a':
        append({pop()});
        return true;  // APPEND
      case 'e':       // APPENDS
      case 0x90:
        append(pop_to_mark());
        return true;  // ADDITEMS
      case 's': {
        const Ref value = pop(), key = pop();
        set_items({key, value});
        return true;
      }  // SETITEM
      case 'u':
        set_items(pop_to_mark());
        return true;  // SETITEMS
      case '0':
        pop();
        return true;  // POP
      default:
        return false;
    }
  }

  bool step_memo(uint8_t opcode) {
    switch (opcode) {
      case 'q':
        remember(number<uint8_t>());
        return true;  // BINPUT
      case 'r':
        remember(number<uint32_t>());
        return true;  // LONG_BINPUT
      case 0x94:
        remember(memo_.size());
        return true;  // MEMOIZE
      case 'h':
        recall(number<uint8_t>());
        return true;  // BINGET
      case 'j':
        recall(number<uint32_t>());
        return true;  // LONG_BINGET
      default:
        return false;
    }
  }

  void make_list() {
    std::vector<Ref> items = pop_to_mark();
    push(make(Kind::list))->items = std::move(items);
  }
  void append(const std::vector<Ref>& items) {
    const Ref list = top(Kind::list, "a list");
    list->items.insert(list->items.end(), items.begin(), items.end());
  }
  void set_items(const std::vector<Ref>& items) {
    const Ref dict = top(Kind::dict, "a dict");
    if (items.size() % 2 != 0) fail(ErrorKind::corrupt, "a key without a value");
    for (size_t i = 0; i < items.size(); i += 2) dict->pairs.emplace_back(items[i], items[i + 1]);
  }

  bool step_object(uint8_t opcode) {
    switch (opcode) {
      case 'c': {  // GLOBAL
        const std::string_view module = line();
        push_global(concat(module, ".", line()));
        return true;
      }
      case 0x93: {  // STACK_GLOBAL
        const Ref name = pop(), module = pop();
        push_global(concat(module->text, ".", name->text));
        return true;
      }
      case 'R':     // REDUCE
      case 0x81: {  // NEWOBJ
        const Ref arguments = pop(), function = pop();
        push(call(function, arguments));
        return true;
      }
      case 'b':
        pop();
        return true;  // BUILD: attributes of an OrderedDict, such as _metadata
      case 'Q':
        push(storage(pop()));
        return true;  // BINPERSID
      default:
        return false;
    }
  }

  void push_global(const std::string& name) {
    const bool known =
        std::find(kCalls.begin(), kCalls.end(), name) != kCalls.end() || is_storage(name) || is_dtype(name);
    if (!known)
      fail(ErrorKind::unsupported, "the file refers to ", name,
           ", which is no part of a state dict; nothing in it is run");
    push(make(Kind::global))->text = name;
  }

  Ref call(Ref function, Ref arguments) {
    if (function->kind != Kind::global || arguments->kind != Kind::list)
      fail(ErrorKind::corrupt, "a call of something that is no function");
    const std::string& name = function->text;
    if (name == "collections.OrderedDict") return make(Kind::dict);
    if (starts_with(name, "torch._utils._rebuild_tensor")) return tensor(arguments->items);
    if (name == "torch._utils._rebuild_parameter") {
      if (arguments->items.empty() || arguments->items[0]->kind != Kind::tensor)
        fail(ErrorKind::corrupt, "a parameter without a tensor");
      return arguments->items[0];
    }
    const Ref other = make(Kind::other);
    other->items = arguments->items;
    return other;
  }

  std::vector<int64_t> integers(Ref list) {
    std::vector<int64_t> result;
    if (list->kind == Kind::other && list->items.size() == 1) list = list->items[0];  // torch.Size((...))
    if (list->kind != Kind::list) fail(ErrorKind::corrupt, "expected sizes");
    for (const Ref item : list->items) {
      if (item->kind != Kind::integer) fail(ErrorKind::corrupt, "a size is no number");
      result.push_back(item->integer);
    }
    return result;
  }

  // (storage, offset, sizes, strides, ...)
  Ref tensor(const std::vector<Ref>& arguments) {
    if (arguments.size() < 4 || arguments[0]->kind != Kind::storage || arguments[1]->kind != Kind::integer)
      fail(ErrorKind::corrupt, "a tensor without storage, offset, sizes and strides");
    const Ref result = make(Kind::tensor);
    result->items = {arguments[0]};
    result->integer = arguments[1]->integer;
    result->sizes = integers(arguments[2]);
    result->strides = integers(arguments[3]);
    if (result->sizes.size() != result->strides.size())
      fail(ErrorKind::corrupt, "a tensor with ", result->sizes.size(), " sizes and ", result->strides.size(),
           " strides");
    return result;
  }

  // ("storage", type, key, location, elements, ...)
  Ref storage(Ref id) {
    const std::vector<Ref>& parts = id->items;
    if (id->kind != Kind::list || parts.size() < 5 || parts[0]->text != "storage" ||
        parts[1]->kind != Kind::global || parts[2]->kind != Kind::text || parts[4]->kind != Kind::integer)
      fail(ErrorKind::corrupt, "a reference to something other than a storage");
    const Ref result = make(Kind::storage);
    result->element = parts[1]->text.substr(parts[1]->text.rfind('.') + 1);
    result->text = parts[2]->text;
    result->integer = parts[4]->integer;
    return result;
  }

  Pickle& pickle_;
  std::string_view bytes_;
  size_t& at_;
  const std::string& what_;
  size_t start_ = 0;  // of the opcode at work
  std::vector<Ref> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, Ref> memo_;
};

Ref Pickle::load(std::string_view bytes, size_t& at, const std::string& what) {
  return Machine(*this, bytes, at, what).run();
}

}  // namespace temper::torch
