;; It logs at a level that there is not.
;; is: refused
;; says: its describe

(component
  (type $log-interface (instance
    (type $levels (enum "error" "warn" "info" "debug"))
    (export "level" (type $level (eq $levels)))
    (export "log" (func (param "level" $level) (param "message" string)))))
  (import "bitrouter:host/log@0.1.0" (instance $log (type $log-interface)))
  (core module $memory
    (memory (export "memory") 1)
    (data (i32.const 16) "\ff\fe\1b[31m"))
  (core instance $memory (instantiate $memory))
  (core func $log (canon lower (func $log "log") (memory (core memory $memory "memory"))))
  (core module $m
    (import "host" "log" (func $log (param i32 i32 i32)))
    (func (export "describe") (result i32)
      (call $log (i32.const 99) (i32.const 16) (i32.const 0))
      (i32.const 0)))
  (core instance $i (instantiate $m (with "host" (instance (export "log" (func $log))))))
  (func $describe (result string)
    (canon lift (core func $i "describe") (memory (core memory $memory "memory"))))
  (instance $provider (export "describe" (func $describe)))
  (export "bitrouter:provider/provider@0.1.0" (instance $provider)))
