#include "codegen/tape_text.h"

#include <algorithm>

#include "base/check.h"

namespace temper {

namespace {

// Beyond so many elements a reduced result is made by a group, unless there are results enough for all.
constexpr int64_t kAlone = 64, kManyResults = 1 << 16;
constexpr int kGroup = 64;  // lanes that share a reduced result

struct Axis {
  int64_t size = 1;
  bool reduced = false;
  Ints strides;  // by source, then of the full result
};

// The axes of a tape's space; neighbours that every source walks as one are one.
std::vector<Axis> axes_of(const Tape& tape, std::span<const Type> inputs) {
  std::vector<Axis> axes;
  const Ints full = dense_strides(tape.space);
  for (size_t a = 0; a < tape.space.size(); ++a) {
    if (tape.space[a] == 1) continue;
    Axis axis{.size = tape.space[a], .reduced = !tape.reduced.empty() && tape.reduced[a]};
    for (const TapeSource& source : tape.sources) {
      const int own = source.kind == TapeSource::scalar ? -1 : source.axes[a];
      if (source.kind == TapeSource::iota)
        axis.strides.push_back(own < 0 ? 0 : 1);
      else if (own < 0)
        axis.strides.push_back(0);
      else
        axis.strides.push_back(
            dense_strides(inputs[static_cast<size_t>(source.input)].shape.sizes())[static_cast<size_t>(own)]);
    }
    axis.strides.push_back(full[a]);
    bool joins = !axes.empty() && axes.back().reduced == axis.reduced;
    for (size_t s = 0; joins && s < axis.strides.size(); ++s)
      joins = axes.back().strides[s] == axis.strides[s] * axis.size;
    if (joins) {
      axes.back().size *= axis.size;
      axes.back().strides = axis.strides;
    } else {
      axes.push_back(std::move(axis));
    }
  }
  return axes;
}

int64_t largest_of(const Tape& tape, std::span<const Type> inputs) {
  int64_t largest = product_of(tape.space);
  for (const Type& input : inputs) largest = std::max(largest, input.shape.elements());
  return largest;
}

class TapePrinter {
 public:
  TapePrinter(const Tape& tape, std::span<const Type> inputs)
      : tape_(tape), axes_(axes_of(tape, inputs)), elements_(product_of(tape.space)) {
    for (const Type& input : inputs) reads_.push_back(input.dtype);
    for (const TapeResult& result : tape.results) writes_.push_back(result.dtype);
    largest_ = largest_of(tape, inputs);
    for (const Axis& axis : axes_) (axis.reduced ? folded_ : kept_) *= axis.size;
  }

  KernelText print() {
    if (std::ranges::none_of(tape_.results, &TapeResult::reduced))
      return axes_.size() <= 1 ? flat() : spread();
    return folded_ <= kAlone || kept_ >= kManyResults ? folded_by_items() : folded_by_groups();
  }

 private:
  KernelWriter writer(std::string kind, size_t numbers = 0) const {
    return {std::move(kind), reads_, writes_, largest_, numbers};
  }

  // Every operand lies as the space does: the text is the same for every size.
  KernelText flat() {
    KernelWriter w = writer("map", 1);
    w.item("n0");
    const Ints one = axes_.empty() ? Ints(tape_.sources.size() + 1, 1) : axes_[0].strides;
    body(w, {"i"}, {one});
    return w.finish(groups_of(elements_), kLanes, {elements_});
  }

  KernelText spread() {
    KernelWriter w = writer("map");
    w.item(literal(elements_));
    Ints sizes;
    for (const Axis& axis : axes_) sizes.push_back(axis.size);
    body(w, w.coordinates("i", sizes, "c"), all_strides());
    return w.finish(groups_of(elements_), kLanes);
  }

  // An item makes a whole result, one element after the other.
  KernelText folded_by_items() {
    KernelWriter w = writer("reduce");
    w.item(literal(kept_));
    std::vector<std::string> at = kept_coordinates(w, "i");
    begin_folding(w);
    for (size_t a = 0; a < axes_.size(); ++a) {
      if (!axes_[a].reduced) continue;
      at[a] = concat("r", a);
      w.open("for (", w.index(), " ", at[a], " = 0; ", at[a], " < ", literal(axes_[a].size), "; ++", at[a],
             ")");
    }
    body(w, at, all_strides());
    for (const Axis& axis : axes_)
      if (axis.reduced) w.close();
    each_folded([&](size_t k, const TapeResult&) { w.store(k, "i", concat("s", k)); });
    return w.finish(groups_of(kept_), kLanes);
  }

  // A group makes a result: each lane takes every so-manieth element, then they are added up in pairs.
  KernelText folded_by_groups() {
    KernelWriter w = writer("reduce");
    each_folded([&](size_t k, const TapeResult& r) {
      w.line("LOCAL ", computed_text(r.dtype), " t", k, "[", kGroup, "];");
    });
    w.line("const ", w.index(), " i = (", w.index(), ")GROUP;");
    w.line("const int lane = (int)LANE;");
    std::vector<std::string> at = kept_coordinates(w, "i");
    begin_folding(w);
    w.open("for (", w.index(), " j = lane; j < ", literal(folded_), "; j += ", kGroup, ")");
    Ints sizes;
    for (const Axis& axis : axes_)
      if (axis.reduced) sizes.push_back(axis.size);
    const std::vector<std::string> inner = w.coordinates("j", sizes, "r");
    for (size_t a = 0, next = 0; a < axes_.size(); ++a)
      if (axes_[a].reduced) at[a] = inner[next++];
    body(w, at, all_strides());
    w.close();
    each_folded([&](size_t k, const TapeResult&) { w.line("t", k, "[lane] = s", k, ";"); });
    w.open("for (int width = ", kGroup / 2, "; width > 0; width /= 2)");
    w.line("BARRIER;");
    w.open("if (lane < width)");
    each_folded([&](size_t k, const TapeResult& r) {
      w.line("t", k, "[lane] = ",
             fold_text(r.kind, folding(r.dtype), concat("t", k, "[lane]"), concat("t", k, "[lane + width]")),
             ";");
    });
    w.close();
    w.close();
    w.open("if (lane == 0)");
    each_folded([&](size_t k, const TapeResult&) { w.store(k, "i", concat("t", k, "[0]")); });
    w.close();
    return w.finish(kept_, kGroup);
  }

  // 16-bit floats are folded as f32.
  static DType folding(DType dtype) {
    return dtype == DType::f16 || dtype == DType::bf16 ? DType::f32 : dtype;
  }

  template <class F>
  void each_folded(const F& f) const {
    for (size_t k = 0; k < tape_.results.size(); ++k)
      if (tape_.results[k].reduced) f(k, tape_.results[k]);
  }

  void begin_folding(KernelWriter& w) const {
    each_folded([&](size_t k, const TapeResult& r) {
      w.line(computed_text(r.dtype), " s", k, " = ", neutral_text(r.kind, folding(r.dtype)), ";");
    });
  }

  std::vector<std::string> kept_coordinates(KernelWriter& w, std::string_view index) const {
    Ints sizes;
    for (const Axis& axis : axes_)
      if (!axis.reduced) sizes.push_back(axis.size);
    const std::vector<std::string> names = w.coordinates(index, sizes, "c");
    std::vector<std::string> at(axes_.size());
    for (size_t a = 0, next = 0; a < axes_.size(); ++a)
      if (!axes_[a].reduced) at[a] = names[next++];
    return at;
  }

  std::vector<Ints> all_strides() const {
    std::vector<Ints> all;
    for (const Axis& axis : axes_) all.push_back(axis.strides);
    return all;
  }

  // One element: loads, instructions, stores. `strides`: by axis, then as Axis::strides.
  void body(KernelWriter& w, const std::vector<std::string>& at, const std::vector<Ints>& strides) const {
    const auto place = [&](size_t s) {
      Ints own;
      for (const Ints& axis : strides) own.push_back(axis[s]);
      return linear_text(at, own);
    };
    std::vector<std::string> names;
    for (size_t s = 0; s < tape_.sources.size(); ++s) {
      const TapeSource& source = tape_.sources[s];
      names.push_back(concat("v", s));
      std::string value;
      if (source.kind == TapeSource::tensor)
        value = w.load(static_cast<size_t>(source.input), place(s));
      else if (source.kind == TapeSource::scalar)
        value = literal_text(source.dtype, source.real, source.integer);
      else
        value = concat("(", computed_text(source.dtype), ")(", place(s), ")");
      w.line("const ", computed_text(source.dtype), " ", names[s], " = ", value, ";");
    }
    for (const TapeInstruction& i : tape_.code) {
      std::vector<std::string> operands;
      for (const int operand : i.operands)
        if (operand >= 0) operands.push_back(names[static_cast<size_t>(operand)]);
      names.push_back(concat("v", names.size()));
      w.line("const ", computed_text(i.result), " ", names.back(), " = ", instruction_text(i, operands), ";");
    }
    for (size_t k = 0; k < tape_.results.size(); ++k) {
      const TapeResult& r = tape_.results[k];
      const std::string& value = names[static_cast<size_t>(r.value)];
      if (r.reduced)
        w.line("s", k, " = ", fold_text(r.kind, folding(r.dtype), concat("s", k), value), ";");
      else
        w.store(k, place(tape_.sources.size()), value);
    }
  }

  const Tape& tape_;
  std::vector<Axis> axes_;
  std::vector<DType> reads_, writes_;
  int64_t elements_, largest_ = 0, kept_ = 1, folded_ = 1;
};

}  // namespace

bool has_text(const Tape& tape, bool f64) {
  const auto has = [&](DType dtype) { return has_element_text(dtype) && (f64 || dtype != DType::f64); };
  return std::ranges::all_of(tape.sources, [&](const TapeSource& s) { return has(s.dtype); }) &&
         std::ranges::all_of(tape.code,
                             [&](const TapeInstruction& i) { return has(i.type) && has(i.result); }) &&
         std::ranges::all_of(tape.results, [&](const TapeResult& r) { return has(r.dtype); });
}

KernelText tape_kernel(const Tape& tape, std::span<const Type> inputs) {
  return TapePrinter(tape, inputs).print();
}

}  // namespace temper
