;; Its describe returns a number.
;; is: refused
;; says: describe

(component
  (core module $m (func (export "describe") (result i32) (i32.const 7)))
  (core instance $i (instantiate $m))
  (func $describe (result u32) (canon lift (core func $i "describe")))
  (instance $p (export "describe" (func $describe)))
  (export "bitrouter:provider/provider@0.1.0" (instance $p)))
