#pragma once
// BERT for the classification of sequences. Devlin et al., arXiv:1810.04805.
#include "nn/layers.h"

namespace temper::nn {

struct BertSizes {
  int64_t layers, width, heads;
  bool masked = false;  // with inputs attention_mask and token_type_ids
};

// Error invalid names what is wrong: bert:LAYERS-WIDTH-HEADS, with :masked behind it or not.
BertSizes parse_bert(std::string_view spec);

// Inputs i64 [N, S]: input_ids; masked: attention_mask (0: nobody looks there) and token_type_ids too, else
// all is seen and of type 0. Output "output": logits of two classes. Names and first values of parameters are
// those of Hugging Face's BertForSequenceClassification; no dropout.
void build_bert(Layers& layers, const BertSizes& sizes);

}  // namespace temper::nn
