# ~/.bashrc: what interactive shells read
case $- in *i*) ;; *) return ;; esac
export EDITOR=vim
alias ll='ls -l'
export COPILOT_PROVIDER_BASE_URL=http://127.0.0.1:4356/v1
export COPILOT_PROVIDER_TYPE=openai
export COPILOT_PROVIDER_WIRE_API=responses
export COPILOT_PROVIDER_API_KEY=unused
export COPILOT_MODEL=fast
