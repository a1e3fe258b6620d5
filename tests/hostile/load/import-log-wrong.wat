;; It wants the log by another type than it has.
;; is: refused
;; says: bitrouter:host/log

(component
  (import "bitrouter:host/log@0.1.0" (instance (export "log" (func (param "level" u32) (result string)))))
  (instance $p)
  (export "bitrouter:provider/provider@0.1.0" (instance $p)))
