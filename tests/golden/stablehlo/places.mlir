module @temper {
 func.func public @main(%0: tensor<6x3xf32>, %1: tensor<4xi64>) -> (tensor<4x3xf32>, tensor<6x3xf32>, tensor<6xi32>, tensor<6x3xf32>) {
  %2 = "stablehlo.gather"(%0, %1) {dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 3>, indices_are_sorted = false} : (tensor<6x3xf32>, tensor<4xi64>) -> tensor<4x3xf32>
  %6 = "stablehlo.scatter"(%0, %1, %2) ({
  ^bb0(%3: tensor<f32>, %4: tensor<f32>):
    %5 = "stablehlo.add"(%3, %4) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "stablehlo.return"(%5) : (tensor<f32>) -> ()
  }) {scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, indices_are_sorted = false, unique_indices = false} : (tensor<6x3xf32>, tensor<4xi64>, tensor<4x3xf32>) -> tensor<6x3xf32>
  %7 = "stablehlo.iota"() {iota_dimension = 1 : i64} : () -> tensor<6x3xi32>
  %8 = "stablehlo.constant"() {value = dense<0xFF800000> : tensor<f32>} : () -> tensor<f32>
  %9 = "stablehlo.constant"() {value = dense<2147483647> : tensor<i32>} : () -> tensor<i32>
  %28:2 = "stablehlo.reduce"(%0, %7, %8, %9) ({
  ^bb0(%10: tensor<f32>, %11: tensor<i32>, %12: tensor<f32>, %13: tensor<i32>):
    %14 = "stablehlo.compare"(%10, %12) {comparison_direction = #stablehlo<comparison_direction GT>, compare_type = #stablehlo<comparison_type FLOAT>} : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %15 = "stablehlo.compare"(%10, %12) {comparison_direction = #stablehlo<comparison_direction EQ>, compare_type = #stablehlo<comparison_type FLOAT>} : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %16 = "stablehlo.compare"(%10, %10) {comparison_direction = #stablehlo<comparison_direction NE>, compare_type = #stablehlo<comparison_type FLOAT>} : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %17 = "stablehlo.compare"(%12, %12) {comparison_direction = #stablehlo<comparison_direction NE>, compare_type = #stablehlo<comparison_type FLOAT>} : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %18 = "stablehlo.not"(%17) : (tensor<i1>) -> tensor<i1>
    %19 = "stablehlo.and"(%16, %18) : (tensor<i1>, tensor<i1>) -> tensor<i1>
    %20 = "stablehlo.or"(%14, %19) : (tensor<i1>, tensor<i1>) -> tensor<i1>
    %21 = "stablehlo.and"(%16, %17) : (tensor<i1>, tensor<i1>) -> tensor<i1>
    %22 = "stablehlo.or"(%15, %21) : (tensor<i1>, tensor<i1>) -> tensor<i1>
    %23 = "stablehlo.compare"(%11, %13) {comparison_direction = #stablehlo<comparison_direction LT>, compare_type = #stablehlo<comparison_type SIGNED>} : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %24 = "stablehlo.and"(%22, %23) : (tensor<i1>, tensor<i1>) -> tensor<i1>
    %25 = "stablehlo.or"(%20, %24) : (tensor<i1>, tensor<i1>) -> tensor<i1>
    %26 = "stablehlo.select"(%25, %10, %12) : (tensor<i1>, tensor<f32>, tensor<f32>) -> tensor<f32>
    %27 = "stablehlo.select"(%25, %11, %13) : (tensor<i1>, tensor<i32>, tensor<i32>) -> tensor<i32>
    "stablehlo.return"(%26, %27) : (tensor<f32>, tensor<i32>) -> ()
  }) {dimensions = array<i64: 1>} : (tensor<6x3xf32>, tensor<6x3xi32>, tensor<f32>, tensor<i32>) -> (tensor<6xf32>, tensor<6xi32>)
  %37 = "stablehlo.sort"(%0) ({
  ^bb0(%29: tensor<f32>, %30: tensor<f32>):
    %31 = "stablehlo.compare"(%29, %30) {comparison_direction = #stablehlo<comparison_direction GT>, compare_type = #stablehlo<comparison_type FLOAT>} : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %32 = "stablehlo.compare"(%29, %29) {comparison_direction = #stablehlo<comparison_direction NE>, compare_type = #stablehlo<comparison_type FLOAT>} : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %33 = "stablehlo.compare"(%30, %30) {comparison_direction = #stablehlo<comparison_direction NE>, compare_type = #stablehlo<comparison_type FLOAT>} : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %34 = "stablehlo.not"(%32) : (tensor<i1>) -> tensor<i1>
    %35 = "stablehlo.and"(%33, %34) : (tensor<i1>, tensor<i1>) -> tensor<i1>
    %36 = "stablehlo.or"(%31, %35) : (tensor<i1>, tensor<i1>) -> tensor<i1>
    "stablehlo.return"(%36) : (tensor<i1>) -> ()
  }) {dimension = 0 : i64, is_stable = true} : (tensor<6x3xf32>) -> tensor<6x3xf32>
  "func.return"(%2, %6, %28#1, %37) : (tensor<4x3xf32>, tensor<6x3xf32>, tensor<6xi32>, tensor<6x3xf32>) -> ()
 }
}
