module @temper {
 func.func public @main(%0: tensor<2xf32>, %1: tensor<5x2xf32>, %2: tensor<2xf32>) -> (tensor<2xf32>, tensor<5x2xf32>) {
  %3 = "stablehlo.constant"() {value = dense<5> : tensor<i64>} : () -> tensor<i64>
  %4 = "stablehlo.constant"() {value = dense<1> : tensor<i64>} : () -> tensor<i64>
  %5 = "stablehlo.constant"() {value = dense<0> : tensor<i64>} : () -> tensor<i64>
  %6 = "stablehlo.constant"() {value = dense<0> : tensor<i64>} : () -> tensor<i64>
  %7 = "stablehlo.constant"() {value = dense<0.0> : tensor<5x2xf32>} : () -> tensor<5x2xf32>
  %24:3 = "stablehlo.while"(%6, %0, %7) ({
  ^bb0(%8: tensor<i64>, %9: tensor<2xf32>, %10: tensor<5x2xf32>):
    %11 = "stablehlo.compare"(%8, %3) {comparison_direction = #stablehlo<comparison_direction LT>, compare_type = #stablehlo<comparison_type SIGNED>} : (tensor<i64>, tensor<i64>) -> tensor<i1>
    "stablehlo.return"(%11) : (tensor<i1>) -> ()
  }, {
  ^bb0(%12: tensor<i64>, %13: tensor<2xf32>, %14: tensor<5x2xf32>):
    %15 = "stablehlo.add"(%12, %4) : (tensor<i64>, tensor<i64>) -> tensor<i64>
    %16 = "stablehlo.subtract"(%3, %15) : (tensor<i64>, tensor<i64>) -> tensor<i64>
    %17 = "stablehlo.dynamic_slice"(%1, %16, %5) {slice_sizes = array<i64: 1, 2>} : (tensor<5x2xf32>, tensor<i64>, tensor<i64>) -> tensor<1x2xf32>
    %18 = "stablehlo.reshape"(%17) : (tensor<1x2xf32>) -> tensor<2xf32>
    %19 = "stablehlo.multiply"(%18, %2) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    %20 = "stablehlo.add"(%13, %19) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    %21 = "stablehlo.tanh"(%13) : (tensor<2xf32>) -> tensor<2xf32>
    %22 = "stablehlo.reshape"(%21) : (tensor<2xf32>) -> tensor<1x2xf32>
    %23 = "stablehlo.dynamic_update_slice"(%14, %22, %16, %5) : (tensor<5x2xf32>, tensor<1x2xf32>, tensor<i64>, tensor<i64>) -> tensor<5x2xf32>
    "stablehlo.return"(%15, %20, %23) : (tensor<i64>, tensor<2xf32>, tensor<5x2xf32>) -> ()
  }) : (tensor<i64>, tensor<2xf32>, tensor<5x2xf32>) -> (tensor<i64>, tensor<2xf32>, tensor<5x2xf32>)
  "func.return"(%24#1, %24#2) : (tensor<2xf32>, tensor<5x2xf32>) -> ()
 }
}
