# ~/.bashrc: what interactive shells read
case $- in *i*) ;; *) return ;; esac
export EDITOR=vim
alias ll='ls -l'
