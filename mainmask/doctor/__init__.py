"""What `mainmask doctor` looks at, each in the words of whoever has to mend it."""
