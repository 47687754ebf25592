"""Photos, other people's labelled pictures and videos → a set with a manifest.

    SOURCE ──source──▶ Found ──pictures, videos──▶ frames and faults ──place──▶ datasets/NAME

`build.take_in` is the way in. `archive` unpacks, `picture` and `video` open what nobody vouches
for, `marks` and `labels` turn what the source says into pixels of the stored picture, `sessions`
and `classes` name shoots and objects, `grow` compares with the set that is there, `place` puts
the new one in its place, and `request` is the recipe.
"""
